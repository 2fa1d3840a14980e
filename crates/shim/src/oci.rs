//! Turns a spec into the document an OCI runtime takes, with Docker's defaults.

use std::path::Path;

use cgroup::Cgroups;
use privilege::Seccomp;
use privilege::capability::Set;
use serde_json::{Value, json};

use crate::devices::Node;
use crate::place::Launch;
use crate::spec::{MASKED_PATHS, READ_ONLY_PATHS};
use crate::user::User;
use crate::{CgroupNamespace, Ipc, Mount, MountKind, PidSpace, Propagation, Spec, Uts};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const CGROUP: &str = "/sys/fs/cgroup";

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

/// Returns the whole document.
pub(crate) fn document(
    launch: &Launch,
    cgroups: &Cgroups,
    user: &User,
    rights: Rights,
    nodes: &[Node],
) -> Value {
    let spec = &launch.spec;
    let shown = cgroups.version_1();
    let mut document = json!({
        "ociVersion": "1.0.2",
        "root": { "path": launch.place.rootfs(), "readonly": spec.read_only },
        "process": process(spec, user, rights),
        "mounts": mounts(spec, !shown.is_empty()),
        "linux": linux(launch, cgroups, nodes),
    });
    if spec.uts == Uts::Private {
        document["hostname"] = spec.hostname.clone().into();
        if !spec.domainname.is_empty() {
            document["domainname"] = spec.domainname.clone().into();
        }
    }
    document
}

/// Returns the part about the first process, or about one that is described as if it were.
pub(crate) fn process(spec: &Spec, user: &User, rights: Rights) -> Value {
    // Loading the filter and taking rights away for good need two rights themselves: the executor drops them.
    let loading = *spec.filtering() != Seccomp::Unconfined;
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
    if let Some(profile) = spec.apparmor.as_deref().filter(|profile| is_confining(profile)) {
        process["apparmorProfile"] = profile.into();
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

/// Returns whether a name stands for an AppArmor profile rather than for none.
pub(crate) fn is_confining(profile: &str) -> bool {
    !matches!(profile, "" | "unconfined")
}

/// Lists what belongs to namespaces that libcontainer makes; the shim mounts the rest.
fn mounts(spec: &Spec, cgroups_are_mounted: bool) -> Vec<Value> {
    let guarded = ["nosuid", "noexec", "nodev"];
    let mut all: Vec<Value> = [("/proc", "proc"), ("/dev/mqueue", "mqueue")]
        .iter()
        .map(|(target, kind)| json!({ "destination": target, "type": kind, "source": kind, "options": guarded }))
        .collect();
    let is_own = spec.mounts.iter().any(|mount| Path::new(CGROUP).starts_with(&mount.target));
    if !cgroups_are_mounted && !is_own {
        let access = if spec.privileged { "rw" } else { "ro" };
        let options = ["nosuid", "noexec", "nodev", "relatime", access];
        all.push(json!({ "destination": CGROUP, "type": "cgroup", "source": "cgroup", "options": options }));
    }
    all
}

fn linux(launch: &Launch, cgroups: &Cgroups, nodes: &[Node]) -> Value {
    let spec = &launch.spec;
    let mut linux = json!({
        "namespaces": namespaces(spec, cgroups),
        "cgroupsPath": launch.cgroup,
        "sysctl": spec.sysctls,
        "devices": nodes.iter().filter(|node| node.target.starts_with("/dev")).map(device).collect::<Vec<_>>(),
        "maskedPaths": chosen(spec.masked_paths.as_deref(), MASKED_PATHS, spec),
        "readonlyPaths": chosen(spec.read_only_paths.as_deref(), READ_ONLY_PATHS, spec),
    });
    let shares =
        |mount: &Mount| matches!(mount.kind, MountKind::Bind { propagation: Propagation::Shared, .. });
    if spec.mounts.iter().any(shares) {
        // Otherwise libcontainer would cut what is passed back to the host.
        linux["rootfsPropagation"] = "shared".into();
    }
    linux
}

fn namespaces(spec: &Spec, cgroups: &Cgroups) -> Vec<Value> {
    let own = |kind: &str| json!({ "type": kind });
    let joined = |kind: &str, path: &Path| json!({ "type": kind, "path": path });
    let mut all = vec![own("mount")];
    match &spec.pid {
        PidSpace::Private => all.push(own("pid")),
        PidSpace::Host => {}
        PidSpace::Joined(path) => all.push(joined("pid", path)),
    }
    match spec.uts {
        Uts::Private => all.push(own("uts")),
        Uts::Host => {}
    }
    match &spec.ipc {
        Ipc::Private | Ipc::Shareable | Ipc::WithoutShm => all.push(own("ipc")),
        Ipc::Host => {}
        Ipc::Joined(path) => all.push(joined("ipc", path)),
    }
    all.extend(spec.network_namespace.as_deref().map(|path| joined("network", path)));
    let is_apart = match spec.cgroup_namespace {
        CgroupNamespace::Usual => cgroups.version_1().is_empty() && !spec.privileged,
        CgroupNamespace::Private => true,
        CgroupNamespace::Host => false,
    };
    if is_apart {
        all.push(own("cgroup"));
    }
    all
}

/// Returns the spec's own list, or Docker's, which a privileged container is free of.
fn chosen(own: Option<&[String]>, dockers: &[&str], spec: &Spec) -> Vec<String> {
    match own {
        Some(paths) => paths.to_vec(),
        None if spec.privileged => Vec::new(),
        None => dockers.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn device(node: &Node) -> Value {
    let Node { target, kind, major, minor, mode, uid, gid, access: _ } = node;
    json!({
        "path": target, "type": kind.letter().to_string(), "major": major, "minor": minor,
        "fileMode": mode, "uid": uid, "gid": gid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_completed_and_never_overruled() {
        let spec =
            Spec { hostname: "h".into(), env: vec!["PATH=/x".into(), "GONE".into()], ..Spec::default() };

        assert_eq!(environment(&spec), ["HOSTNAME=h", "PATH=/x"]);
        assert_eq!(environment(&Spec::default()), [PATH]);
    }

    #[test]
    fn lists_of_paths_are_the_specs_own_or_dockers() {
        let own = Some(vec!["/proc/own".to_owned()]);
        let check = |paths: &Option<Vec<String>>, privileged, expected: &[&str]| {
            let spec = Spec { privileged, ..Spec::default() };
            assert_eq!(chosen(paths.as_deref(), READ_ONLY_PATHS, &spec), expected);
        };

        check(&None, false, READ_ONLY_PATHS);
        check(&None, true, &[]);
        check(&own, false, &["/proc/own"]);
        check(&own, true, &["/proc/own"]);
        check(&Some(Vec::new()), false, &[]);
    }
}
