//! Turns a spec into the document an OCI runtime takes, with Docker's defaults.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::capability::Set;
use crate::cgroup::Cgroups;
use crate::hybrid;
use crate::place::Launch;
use crate::user::User;
use crate::{FileInRoot, Mount, MountKind, Propagation, Resources, Seccomp, Spec};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// One period of the CPU quota.
pub(crate) const PERIOD_US: u64 = 100_000;
const CGROUP: &str = "/sys/fs/cgroup";

const MASKED: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The capabilities of one container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    /// What the spec asks for.
    pub wanted: Set,
    /// What the program has at once; a program that is not root's gains by set-user-id files only.
    pub held: Set,
}

impl Rights {
    pub(crate) fn of(spec: &Spec, user: &User) -> Result<Rights, String> {
        let wanted = Set::chosen(&spec.capabilities_add, &spec.capabilities_drop, spec.privileged)?;
        Ok(Rights { wanted, held: if user.uid == 0 { wanted } else { Set::EMPTY } })
    }
}

/// A file that is to be bound over the root, and where its contents lie.
pub(crate) type Placed<'a> = (&'a FileInRoot, PathBuf);

/// Returns whether system calls are filtered.
pub(crate) fn is_filtered(spec: &Spec) -> bool {
    spec.seccomp == Seccomp::Default && !spec.privileged
}

/// Returns the whole document.
pub(crate) fn document(
    launch: &Launch,
    cgroups: &Cgroups,
    user: &User,
    rights: Rights,
    files: &[Placed<'_>],
) -> Value {
    let spec = &launch.spec;
    let shown = cgroups.version_1();
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": launch.place.rootfs(), "readonly": spec.read_only },
        "hostname": spec.hostname,
        "process": process(spec, user, rights),
        "mounts": mounts(spec, !shown.is_empty(), files),
        "linux": linux(launch, cgroups),
    })
}

fn process(spec: &Spec, user: &User, rights: Rights) -> Value {
    // Loading the filter and taking rights away for good need two rights themselves: the executor drops them.
    let loading = is_filtered(spec);
    let with_helpers = |set: Set| if loading { set.with("SYS_ADMIN").with("SETPCAP") } else { set };
    let (bounding, held) = (with_helpers(rights.wanted).names(), with_helpers(rights.held).names());
    let mut process = json!({
        "terminal": spec.tty,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "args": spec.args,
        "env": environment(spec),
        "cwd": if spec.cwd.is_empty() { "/" } else { &spec.cwd },
        "capabilities": {
            "bounding": bounding, "effective": held, "permitted": held, "inheritable": [], "ambient": [],
        },
        "rlimits": spec.ulimits.iter().map(|limit| json!({
            "type": format!("RLIMIT_{}", limit.name.to_ascii_uppercase()), "soft": limit.soft, "hard": limit.hard,
        })).collect::<Vec<_>>(),
    });
    // libcontainer takes an explicit false for a wish.
    if spec.no_new_privileges {
        process["noNewPrivileges"] = true.into();
    }
    if let Some(adjust) = spec.oom_score_adj {
        process["oomScoreAdj"] = adjust.into();
    }
    process
}

fn environment(spec: &Spec) -> Vec<String> {
    let has = |name: &str| spec.env.iter().any(|pair| pair.split_once('=').is_some_and(|(n, _)| n == name));
    let mut env = Vec::with_capacity(spec.env.len() + 3);
    if !has("PATH") {
        env.push(PATH.to_owned());
    }
    if !has("HOSTNAME") && !spec.hostname.is_empty() {
        env.push(format!("HOSTNAME={}", spec.hostname));
    }
    if spec.tty && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    // A name without a value asks for it to be unset, which it is.
    env.extend(spec.env.iter().filter(|pair| pair.contains('=')).cloned());
    env
}

fn mounts(spec: &Spec, cgroups_are_mounted: bool, files: &[Placed<'_>]) -> Vec<Value> {
    let own: Vec<&Path> = spec.mounts.iter().map(|mount| mount.target.as_path()).collect();
    let mut all: Vec<Value> = DEFAULTS
        .iter()
        .zip(["proc", "mqueue"])
        .filter(|(target, _)| !own.contains(&Path::new(target)))
        .map(|(target, kind)| {
            json!({ "destination": target, "type": kind, "source": kind, "options": ["nosuid", "noexec", "nodev"] })
        })
        .collect();
    let bind = |target: &Path, source: &Path, options: Vec<String>| json!({ "destination": target, "type": "bind", "source": source, "options": options });
    if !cgroups_are_mounted && !own.contains(&Path::new(CGROUP)) {
        let access = if spec.privileged { "rw" } else { "ro" };
        let options = ["nosuid", "noexec", "nodev", "relatime", access];
        all.push(json!({ "destination": CGROUP, "type": "cgroup", "source": "cgroup", "options": options }));
    }
    for (file, source) in files {
        let access = if file.read_only { "ro" } else { "rw" };
        all.push(bind(&file.target, source, vec!["bind".into(), "rprivate".into(), access.into()]));
    }
    // Parents before children, whatever order they were asked for in.
    let mut sorted: Vec<&Mount> = spec.mounts.iter().collect();
    sorted.sort_by_key(|mount| mount.target.components().count());
    for mount in sorted {
        let access = if mount.read_only { "ro" } else { "rw" }.to_owned();
        all.push(match &mount.kind {
            MountKind::Bind { source, propagation } => {
                let propagation = match propagation {
                    Propagation::Private => "rprivate",
                    Propagation::Slave => "rslave",
                    Propagation::Shared => "rshared",
                };
                bind(&mount.target, source, vec!["rbind".into(), propagation.into(), access])
            }
            MountKind::Tmpfs { size_bytes, mode } => {
                let mut options = vec!["nosuid".into(), "nodev".into(), "noexec".into(), access];
                options.push(format!("mode={:o}", mode.unwrap_or(0o1777)));
                options.extend(size_bytes.map(|bytes| format!("size={bytes}")));
                json!({ "destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options })
            }
        });
    }
    all
}

/// What belongs to namespaces that libcontainer makes; the shim has mounted the rest.
const DEFAULTS: &[&str] = &["/proc", "/dev/mqueue"];

fn linux(launch: &Launch, cgroups: &Cgroups) -> Value {
    let spec = &launch.spec;
    let mut namespaces: Vec<Value> =
        ["pid", "mount", "uts", "ipc"].iter().map(|kind| json!({ "type": kind })).collect();
    if let Some(path) = &spec.network_namespace {
        namespaces.push(json!({ "type": "network", "path": path }));
    }
    if cgroups.version_1().is_empty() && !spec.privileged {
        // Docker's default with version 2: the container's cgroup looks like the top.
        namespaces.push(json!({ "type": "cgroup" }));
    }
    let mut linux = json!({
        "namespaces": namespaces,
        "cgroupsPath": launch.cgroup,
        "sysctl": spec.sysctls,
    });
    if !hybrid::is_hybrid(cgroups) {
        linux["resources"] = resources(&spec.resources, spec.privileged);
    }
    if spec.privileged {
        linux["devices"] = host_devices(Path::new("/dev")).into();
    } else {
        linux["maskedPaths"] = json!(MASKED);
        linux["readonlyPaths"] = json!(READ_ONLY);
    }
    linux
}

fn resources(limits: &Resources, privileged: bool) -> Value {
    let Resources { memory_bytes, memory_reservation_bytes, nano_cpus, cpu_shares, cpuset_cpus, pids } =
        limits;
    let mut resources = json!({ "devices": [{ "allow": privileged, "access": "rwm" }] });
    let mut set = |family: &str, key: &str, value: Option<Value>| {
        if let Some(value) = value {
            resources[family][key] = value;
        }
    };
    set("memory", "limit", memory_bytes.map(Value::from));
    set("memory", "reservation", memory_reservation_bytes.map(Value::from));
    set("cpu", "quota", nano_cpus.map(|nanos| quota_us(nanos).into()));
    set("cpu", "period", nano_cpus.map(|_| PERIOD_US.into()));
    set("cpu", "shares", cpu_shares.map(Value::from));
    set("cpu", "cpus", cpuset_cpus.clone().map(Value::from));
    set("pids", "limit", pids.map(Value::from));
    resources
}

/// Returns the CPU time per period; the kernel refuses less than a millisecond.
pub(crate) fn quota_us(nano_cpus: u64) -> u64 {
    let quota = u64::try_from(u128::from(nano_cpus) * u128::from(PERIOD_US) / 1_000_000_000);
    quota.unwrap_or(u64::MAX >> 1).max(1_000)
}

/// Lists the device nodes of the host, which a privileged container gets.
fn host_devices(dir: &Path) -> Vec<Value> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(meta) = entry.metadata() else { continue };
        let kind = meta.file_type();
        // These belong to mounts of the container's own.
        let is_own = dir == Path::new("/dev")
            && ["pts", "shm", "mqueue", "fd", "console", "ptmx"].iter().any(|own| name == *own);
        if kind.is_dir() && !is_own {
            found.extend(host_devices(&path));
        } else if (kind.is_char_device() || kind.is_block_device()) && !is_own {
            let (major, minor) = (libc::major(meta.rdev()), libc::minor(meta.rdev()));
            found.push(json!({
                "path": path, "type": if kind.is_char_device() { "c" } else { "b" },
                "major": major, "minor": minor, "fileMode": meta.mode() & 0o7777, "uid": meta.uid(), "gid": meta.gid(),
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_share_becomes_a_quota_per_period() {
        let limits = Resources { nano_cpus: Some(1_500_000_000), pids: Some(7), ..Resources::default() };

        let made = resources(&limits, false);

        assert_eq!(
            (made["cpu"]["quota"].as_u64(), made["cpu"]["period"].as_u64()),
            (Some(150_000), Some(100_000))
        );
        assert_eq!(made["pids"]["limit"].as_u64(), Some(7));
        assert!(made.get("memory").is_none());
    }

    #[test]
    fn environment_is_completed_and_never_overruled() {
        let spec =
            Spec { hostname: "h".into(), env: vec!["PATH=/x".into(), "GONE".into()], ..Spec::default() };

        assert_eq!(environment(&spec), ["HOSTNAME=h", "PATH=/x"]);
        assert_eq!(environment(&Spec::default()), [PATH]);
    }

    #[test]
    fn own_mount_replaces_the_default_and_parents_come_first() {
        let tmpfs = |target: &str| Mount {
            target: target.into(),
            kind: MountKind::Tmpfs { size_bytes: None, mode: None },
            read_only: false,
        };
        let spec = Spec { mounts: vec![tmpfs("/a/b"), tmpfs("/a"), tmpfs("/dev/shm")], ..Spec::default() };

        let all = mounts(&spec, false, &[]);
        let targets: Vec<&str> = all.iter().map(|mount| mount["destination"].as_str().unwrap()).collect();

        assert_eq!(targets.iter().filter(|target| **target == "/dev/shm").count(), 1);
        let at = |wanted: &str| targets.iter().position(|target| *target == wanted).unwrap();
        assert!(at("/a") < at("/a/b"));
    }
}
