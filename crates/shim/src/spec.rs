//! What one container is made of, in plain values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Signal;

/// Describes one container completely; it is kept on disk beside the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The host name inside the container.
    pub hostname: String,
    /// Read-only layers of the root, topmost first.
    pub layers: Vec<PathBuf>,
    /// Makes the root read-only to the container.
    pub read_only: bool,
    /// Bind and tmpfs mounts.
    pub mounts: Vec<Mount>,
    /// Small files placed over the root, such as `/etc/hosts`.
    pub files: Vec<FileInRoot>,
    /// The network namespace to join; none means the host's own.
    pub network_namespace: Option<PathBuf>,
    /// Limits kept by the cgroup.
    pub resources: Resources,
    /// Capabilities added to Docker's default set, with or without `CAP_`; `ALL` for all.
    pub capabilities_add: Vec<String>,
    /// Capabilities taken from the set; `ALL` for all.
    pub capabilities_drop: Vec<String>,
    /// All capabilities and devices, no seccomp, no masked paths.
    pub privileged: bool,
    /// Which system calls are refused.
    pub seccomp: Seccomp,
    /// Keeps programs from gaining privileges by set-user-id files.
    pub no_new_privileges: bool,
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
    /// The signal that stops the container if the caller names none; none means `SIGTERM`.
    pub stop_signal: Option<Signal>,
    /// How much log is kept.
    pub log: LogOptions,
    /// Kept and listed, otherwise ignored.
    pub labels: BTreeMap<String, String>,
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
        /// Whether later mounts below it are seen on the other side.
        propagation: Propagation,
    },
    /// Memory that vanishes with the container.
    Tmpfs {
        /// The most it holds; none means half of the host's memory.
        size_bytes: Option<u64>,
        /// The permission bits of its root directory; none means 1777.
        mode: Option<u32>,
    },
}

/// Whether mounts made later cross a bind mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Neither way.
    #[default]
    Private,
    /// From the host into the container.
    Slave,
    /// Both ways.
    Shared,
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

/// Limits kept by the cgroup; none means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// The most memory.
    pub memory_bytes: Option<u64>,
    /// What memory is pressed back to when the host runs short.
    pub memory_reservation_bytes: Option<u64>,
    /// CPU time per time, in billionths of one CPU.
    pub nano_cpus: Option<u64>,
    /// The relative weight when CPUs are short (1024 is usual).
    pub cpu_shares: Option<u64>,
    /// The CPUs it may run on, such as `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// The most processes and threads.
    pub pids: Option<u64>,
}

/// Which system calls are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Those that Docker refuses by default.
    #[default]
    Default,
    /// None.
    Unconfined,
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
