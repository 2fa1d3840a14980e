//! Where a container is in its life.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code; 128 + n after signal n, 126 and 127 if the program could not be executed.
    pub code: i32,
    /// Whether the kernel killed a process of it for want of memory.
    pub oom_killed: bool,
    /// When it ended.
    pub finished_at: SystemTime,
    /// What went wrong, where the code alone does not say.
    pub error: Option<String>,
}

/// A container that was just started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its first process, as the host numbers it.
    pub pid: i32,
    /// When its program was executed.
    pub at: SystemTime,
}

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything is prepared and nothing runs.
    Created,
    /// Its program runs.
    Running(Started),
    /// Its program runs, and stands still until it is let go on.
    Paused(Started),
    /// It has ended.
    Exited(Exit),
}

/// One line of a list of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The container's id.
    pub id: String,
    /// The labels of its spec.
    pub labels: BTreeMap<String, String>,
    /// Where it is in its life.
    pub phase: Phase,
}
