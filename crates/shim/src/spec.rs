//! What one container is made of, in plain values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cgroup::Resources;
use privilege::Seccomp;
use serde::{Deserialize, Serialize};

use crate::{Signal, Size};

/// What looks empty to a container that names no list of its own, as in Docker.
pub const MASKED_PATHS: &[&str] = &[
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
/// What a container that names no list of its own cannot write to, as in Docker.
pub const READ_ONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Describes one container completely; it is kept on disk beside the container, where what an earlier version did not
/// know is taken for its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// Names the container on this host: letters, digits, `_`, `.` and `-`.
    pub id: String,
    /// The program and its arguments; the program is looked up in the container's `PATH`.
    pub args: Vec<String>,
    /// `NAME=value` pairs; `PATH`, `HOSTNAME` and `HOME` are added where missing.
    pub env: Vec<String>,
    /// The working directory, created if the image lacks it; empty means `/`.
    pub cwd: String,
    /// `uid[:gid]` or `name[:group]`, looked up in the root's `/etc/passwd` and `/etc/group`; empty means root.
    pub user: String,
    /// Supplementary groups by name or number, beside those `/etc/group` gives the user.
    pub groups: Vec<String>,
    /// The host name inside the container; without an effect where the host's is shared.
    pub hostname: String,
    /// The NIS domain name inside the container; without an effect where the host's is shared.
    pub domainname: String,
    /// Read-only layers of the root, topmost first.
    pub layers: Vec<PathBuf>,
    /// Makes the root read-only to the container.
    pub read_only: bool,
    /// Bind and tmpfs mounts, in any order: parents are mounted before what is below them.
    pub mounts: Vec<Mount>,
    /// Small files placed over the root, such as `/etc/hosts`.
    pub files: Vec<FileInRoot>,
    /// The network namespace to join; none means the host's own.
    pub network_namespace: Option<PathBuf>,
    /// Whose shared memory and message queues it sees.
    pub ipc: Ipc,
    /// Whose processes it sees.
    pub pid: PidSpace,
    /// Whose host name it sees.
    pub uts: Uts,
    /// Whether its cgroup looks like the top of the hierarchy to it.
    pub cgroup_namespace: CgroupNamespace,
    /// The size of `/dev/shm`; none means 64 MiB.
    pub shm_bytes: Option<u64>,
    /// Devices of the host, beside the harmless ones that every container has.
    pub devices: Vec<Device>,
    /// What it may do with further devices, such as `c 13:* rwm`.
    pub device_rules: Vec<String>,
    /// Limits kept by the cgroup.
    pub resources: Resources,
    /// Capabilities added to Docker's default set, with or without `CAP_`; `ALL` for all.
    pub capabilities_add: Vec<String>,
    /// Capabilities taken from the set; `ALL` for all.
    pub capabilities_drop: Vec<String>,
    /// All capabilities and devices, no seccomp, no masked paths; `/sys` and the cgroups can be written to.
    pub privileged: bool,
    /// Which system calls are refused.
    pub seccomp: Seccomp,
    /// Keeps programs from gaining privileges by set-user-id files.
    pub no_new_privileges: bool,
    /// The AppArmor profile; none and `unconfined` mean none.
    pub apparmor: Option<String>,
    /// Paths that look empty to the container; none means [`MASKED_PATHS`].
    pub masked_paths: Option<Vec<String>>,
    /// Paths that the container cannot write to; none means [`READ_ONLY_PATHS`].
    pub read_only_paths: Option<Vec<String>>,
    /// Namespaced kernel parameters, such as `net.core.somaxconn`.
    pub sysctls: BTreeMap<String, String>,
    /// Per-process limits.
    pub ulimits: Vec<Ulimit>,
    /// Adjusts how readily the kernel's out-of-memory killer picks the container.
    pub oom_score_adj: Option<i32>,
    /// Puts a tiny process as number 1 that forwards signals and reaps orphans.
    pub init: bool,
    /// Gives the container a terminal; everything it writes is then standard output.
    pub tty: bool,
    /// Keeps standard input open; without it the container reads end of file.
    pub open_stdin: bool,
    /// Ends standard input with the first who has written to it, or was able to.
    #[serde(default)]
    pub stdin_once: bool,
    /// The size of the terminal at first.
    #[serde(default)]
    pub console: Option<Size>,
    /// The signal that stops the container if the caller names none; none means `SIGTERM`.
    pub stop_signal: Option<Signal>,
    /// How much log is kept.
    pub log: LogOptions,
    /// Keeps no log at all: output goes to whoever is attached, and nowhere else.
    pub discard_log: bool,
    /// Kept and listed, otherwise ignored.
    pub labels: BTreeMap<String, String>,
}

impl Spec {
    /// Returns what is refused of system calls, if any is.
    pub(crate) fn filtering(&self) -> &Seccomp {
        if self.privileged { &Seccomp::Unconfined } else { &self.seccomp }
    }
}

/// Places something at a path of the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path inside the container, created if missing.
    pub target: PathBuf,
    /// What is placed there.
    pub kind: MountKind,
    /// Refuses writes through this mount.
    pub read_only: bool,
}

/// What a [`Mount`] places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MountKind {
    /// A directory or file of the host.
    Bind {
        /// The absolute path on the host, which must exist.
        source: PathBuf,
        /// A path below the source that is placed in its stead; a symbolic link that leaves the source is refused.
        #[serde(default)]
        subpath: Option<PathBuf>,
        /// Whether later mounts below it are seen on the other side.
        propagation: Propagation,
        /// What becomes of mounts below the source.
        #[serde(default)]
        submounts: Submounts,
    },
    /// Memory that vanishes with the container.
    Tmpfs {
        /// The most it holds; none means half of the host's memory.
        size_bytes: Option<u64>,
        /// The permission bits of its root directory; none means 1777.
        mode: Option<u32>,
        /// Options as `mount` takes them, such as `exec` and `uid=33`; they win over the usual
        /// `noexec,nosuid,nodev`.
        #[serde(default)]
        options: Vec<String>,
    },
}

impl MountKind {
    /// Binds a path of the host with what is mounted below it.
    pub fn bind(source: impl Into<PathBuf>) -> MountKind {
        MountKind::Bind {
            source: source.into(),
            subpath: None,
            propagation: Propagation::default(),
            submounts: Submounts::default(),
        }
    }

    /// Makes memory without a size of its own.
    pub fn tmpfs() -> MountKind {
        MountKind::Tmpfs { size_bytes: None, mode: None, options: Vec::new() }
    }
}

/// Whether mounts made later cross a bind mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Neither way.
    #[default]
    Private,
    /// From the host into the container.
    Slave,
    /// Both ways; the source must lie on a mount that the host shares.
    Shared,
}

/// What becomes of mounts below the source of a bind mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submounts {
    /// They come along, read-only if the mount is.
    #[default]
    Included,
    /// They come along, and can be written to even if the mount is read-only.
    Writable,
    /// They stay behind.
    Excluded,
}

/// Whose shared memory and message queues a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipc {
    /// Its own.
    #[default]
    Private,
    /// Its own, and other containers may join.
    Shareable,
    /// Its own without `/dev/shm`.
    WithoutShm,
    /// The host's.
    Host,
    /// Those of a process, named `/proc/PID/ns/ipc`; its `/dev/shm` is seen too.
    Joined(PathBuf),
}

/// Whose processes a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PidSpace {
    /// Its own.
    #[default]
    Private,
    /// All of the host.
    Host,
    /// Those of a namespace, named `/proc/PID/ns/pid`.
    Joined(PathBuf),
}

/// Whose host name a container sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uts {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
}

/// Whether a container's cgroup looks like the top of the hierarchy to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupNamespace {
    /// Yes with cgroups of version 2 alone, and no where version 1 is mounted, or if it is privileged.
    #[default]
    Usual,
    /// Yes.
    Private,
    /// No.
    Host,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The path on the host: a device, a link to one, or a directory, which stands for all devices below it.
    pub host: PathBuf,
    /// The path inside the container.
    pub target: PathBuf,
    /// What may be done with it: some of `r`, `w` and `m`; empty means all.
    pub permissions: String,
}

/// A small file placed over the root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileInRoot {
    /// The absolute path inside the container.
    pub target: PathBuf,
    /// What the file holds at the start.
    pub contents: String,
    /// The permission bits.
    pub mode: u32,
    /// Refuses writes to it.
    pub read_only: bool,
}

/// One per-process limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Its lower-case name, such as `nofile`.
    pub name: String,
    /// What the process starts with.
    pub soft: u64,
    /// What it may raise itself to.
    pub hard: u64,
}

/// How much log is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOptions {
    /// The size at which a file is rotated; none means never.
    pub max_size_bytes: Option<u64>,
    /// How many files are kept, the current one included; none means one.
    pub max_files: Option<u32>,
}
