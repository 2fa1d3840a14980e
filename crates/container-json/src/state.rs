//! Whether a container runs, and how it is.

use engine_json::Time;
use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty};

/// Whether a container runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub status: String,
    /// Whether it runs; a paused one does, and one between two runs.
    pub running: bool,
    /// Whether it is frozen.
    pub paused: bool,
    /// Whether it is between two runs.
    pub restarting: bool,
    /// Whether the kernel killed it for memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Whether its removal failed.
    pub dead: bool,
    /// The process id; 0 while it does not run.
    pub pid: i64,
    /// Its exit code.
    pub exit_code: i64,
    /// Why it did not start.
    pub error: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Time,
    /// How it is, if it has a health check.
    #[serde(skip_serializing_if = "empty")]
    pub health: Option<Health>,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `none`, `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// How many checks in a row failed.
    pub failing_streak: i64,
    /// The last checks, the latest last.
    #[serde(serialize_with = "null_if_empty")]
    pub log: Vec<HealthResult>,
}

/// What one check gave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthResult {
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// 0 if the container is well.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}
