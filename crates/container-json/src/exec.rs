//! Commands that run in a container beside its program.

use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty, words};

/// What a client asks for when it prepares a command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecBody {
    /// The user; empty means the container's.
    pub user: String,
    /// Whether nothing keeps it from the host.
    pub privileged: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Height and width of the client's terminal.
    #[serde(skip_serializing_if = "empty")]
    pub console_size: Option<[u32; 2]>,
    /// Whether the client writes to it.
    pub attach_stdin: bool,
    /// Whether the client reads its errors.
    pub attach_stderr: bool,
    /// Whether the client reads its output.
    pub attach_stdout: bool,
    /// Whether the client does not wait for it.
    pub detach: bool,
    /// The keys that leave it.
    pub detach_keys: String,
    /// `KEY=value` pairs beside the container's.
    #[serde(serialize_with = "null_if_empty")]
    pub env: Vec<String>,
    /// The working directory; empty means the container's.
    pub working_dir: String,
    /// The command.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
}

/// The answer to the preparation of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecCreated {
    /// The command's id.
    pub id: String,
}

/// How a prepared command is started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecStart {
    /// Whether the client goes at once.
    pub detach: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Height and width of the client's terminal.
    #[serde(skip_serializing_if = "empty")]
    pub console_size: Option<[u32; 2]>,
}

/// A command in full.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecInspect {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether it runs.
    pub running: bool,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i64>,
    /// What it is.
    pub process_config: ExecProcess,
    /// Whether the client writes to it.
    pub open_stdin: bool,
    /// Whether the client reads its errors.
    pub open_stderr: bool,
    /// Whether the client reads its output.
    pub open_stdout: bool,
    /// Whether it can be forgotten.
    pub can_remove: bool,
    /// The container.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The keys that leave it, in base64.
    pub detach_keys: String,
    /// The process id; 0 before it runs.
    pub pid: i64,
}

/// What a command is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecProcess {
    /// Whether it has a terminal.
    pub tty: bool,
    /// The program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether nothing keeps it from the host.
    #[serde(skip_serializing_if = "empty")]
    pub privileged: Option<bool>,
    /// The user.
    #[serde(skip_serializing_if = "empty")]
    pub user: String,
}
