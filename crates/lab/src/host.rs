//! One host of a lab: what it is called and where its things are.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::Role;

/// The folder of all hosts' folders, in the lab's.
pub(crate) const HOSTS: &str = "hosts";

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The name, which is its hostname as well: m1, w1 …
    pub name: String,
    /// What it is meant for.
    pub role: Role,
    /// Its address on the lab's bridge.
    pub address: Ipv4Addr,
    /// Its own folder.
    pub folder: PathBuf,
    /// The cgroup all its processes are in, relative to the root of each hierarchy.
    pub cgroup: String,
}

impl Host {
    /// Returns the unix socket its daemon should listen on.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("drover.sock")
    }

    /// Returns the folder for its daemon's data; it outlives a killed host.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the file with what its daemon printed.
    pub fn log(&self) -> PathBuf {
        self.folder.join("daemon.log")
    }

    /// Returns the file with its daemon's process id and the time that process began.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join("daemon.pid")
    }

    /// Returns the parent that its containers' cgroups should have.
    pub fn cgroup_parent(&self) -> &str {
        &self.cgroup
    }

    /// Returns the value of `DROVER_HOST` and `DOCKER_HOST` for a client on it.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// It is up and its daemon runs.
    Running,
    /// It is up and its daemon runs not.
    NoDaemon,
    /// All its processes are frozen.
    Paused,
    /// It was killed.
    Down,
}

impl HostState {
    /// Returns the state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NoDaemon => "no daemon",
            Self::Paused => "paused",
            Self::Down => "down",
        }
    }
}

/// A host and how it is.
#[derive(Debug, Clone)]
pub struct Status {
    /// The host.
    pub host: Host,
    /// Its state.
    pub state: HostState,
    /// Its daemon, if that runs.
    pub pid: Option<i32>,
    /// The hosts it cannot send to.
    pub cut_from: Vec<String>,
}

/// Returns the folder of a host.
pub(crate) fn folder(lab: &Path, host: &str) -> PathBuf {
    lab.join(HOSTS).join(host)
}
