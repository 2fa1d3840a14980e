//! What can go wrong with a lab.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The result of an operation on a lab.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on a lab failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Namespaces need root.
    #[error("a lab needs root: it makes namespaces, links and cgroups")]
    NotRoot,
    /// The specification asks for something impossible.
    #[error("{0}")]
    Spec(String),
    /// There is a lab already.
    #[error("lab {name} exists in {folder}: take it down first, or choose another name")]
    Exists {
        /// The lab.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// There is no lab.
    #[error("there is no lab in {0}")]
    Absent(PathBuf),
    /// The state file is damaged.
    #[error("read {path}: {reason}; take the lab down to remove what is left of it")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No host has that name.
    #[error("lab {lab} has no host {host}: it has {hosts}")]
    NoHost {
        /// The lab.
        lab: String,
        /// The name asked for.
        host: String,
        /// The names there are.
        hosts: String,
    },
    /// The host was killed.
    #[error("host {0} is down: start it first")]
    HostDown(String),
    /// The host is frozen.
    #[error("host {0} is paused: resume it first")]
    HostPaused(String),
    /// The host's daemon runs.
    #[error("the daemon of host {host} already runs as process {pid}")]
    Running {
        /// The host.
        host: String,
        /// The daemon.
        pid: i32,
    },
    /// The host's daemon does not run.
    #[error("the daemon of host {0} does not run")]
    NotRunning(String),
    /// The host never had a daemon.
    #[error("host {0} has never had a daemon: spawn one first")]
    NoCommand(String),
    /// Processes cannot be gathered.
    #[error("no cgroup2 hierarchy is mounted: mount one with `mount -t cgroup2 none /sys/fs/cgroup/unified`")]
    NoCgroup2,
    /// A host's processes could not be told from others.
    #[error(
        "cgroup {folder} exists: a lab of this name stands elsewhere or was not taken down; choose another name"
    )]
    Taken {
        /// The cgroup.
        folder: PathBuf,
    },
    /// Every subnet is taken.
    #[error("no free subnet in 10.99.0.0/16 for the lab: take another lab down")]
    NoSubnet,
    /// A file operation failed.
    #[error("{action} {path}")]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A system call failed.
    #[error("{action}")]
    System {
        /// What was being done, and to what.
        action: String,
        /// What the kernel said.
        source: Errno,
    },
    /// A program could not be started.
    #[error("start {program} on host {host}")]
    Start {
        /// The program.
        program: String,
        /// The host.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// A change of links or addresses failed.
    #[error("{action}: {reason}")]
    Netlink {
        /// What was being done, and to what.
        action: String,
        /// What the kernel said.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("waited {seconds} s for {what}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// Not everything could be removed.
    #[error("taking the lab down left something behind: {}", .0.iter().map(printed).collect::<Vec<_>>().join("; "))]
    Leftovers(Vec<Error>),
}

impl Error {
    /// Returns a function that tells which file operation failed.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// Returns a function that tells which system call failed.
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(Errno) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}

/// Returns an error with its causes on one line.
fn printed(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
