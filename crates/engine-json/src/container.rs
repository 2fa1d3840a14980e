//! Containers of this host as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::omit::empty;
use crate::{Labels, Time};

/// A container in a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// Its id.
    pub id: String,
    /// Its names, each with a slash before it.
    pub names: Vec<String>,
    /// The image as it was asked for.
    pub image: String,
    /// The image's id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// What runs in it.
    pub command: String,
    /// When it was made, in seconds.
    pub created: i64,
    /// Its ports.
    pub ports: Vec<ContainerPort>,
    /// Labels.
    pub labels: Labels,
    /// `created`, `running`, `exited`, ...
    pub state: String,
    /// The same for people, such as `Up 5 minutes`.
    pub status: String,
    /// Its networks.
    pub network_settings: ContainerNetworks,
    /// What is mounted in it.
    pub mounts: Vec<Value>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerPort {
    /// The address outside.
    #[serde(rename = "IP", skip_serializing_if = "empty")]
    pub ip: String,
    /// The port inside.
    pub private_port: u16,
    /// The port outside.
    #[serde(skip_serializing_if = "empty")]
    pub public_port: u16,
    /// `tcp`, `udp` or `sctp`.
    #[serde(rename = "Type")]
    pub kind: String,
}

/// The networks of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerNetworks {
    /// By name.
    pub networks: BTreeMap<String, NetworkEndpoint>,
}

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkEndpoint {
    /// The network's id.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// The network's gateway.
    pub gateway: String,
    /// The container's address.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// The prefix length of the subnet.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u8,
    /// The container's hardware address.
    pub mac_address: String,
}

/// A container in full, as far as it is known of a task's container.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Whether it runs.
    pub state: ContainerState,
    /// The image's id.
    pub image: String,
    /// Its name, with a slash before it.
    pub name: String,
    /// How often it was restarted.
    pub restart_count: u32,
    /// The storage driver.
    pub driver: String,
    /// The operating system.
    pub platform: String,
    /// What is mounted in it.
    pub mounts: Vec<Value>,
    /// What runs in it.
    pub config: ContainerConfig,
    /// Its networks.
    pub network_settings: ContainerNetworks,
}

/// Whether a container runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// `created`, `running`, `exited`, ...
    pub status: String,
    /// Whether it runs.
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
    /// The process id.
    pub pid: u32,
    /// Its exit code.
    pub exit_code: i32,
    /// Why it did not start.
    pub error: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Time,
}

/// What runs in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// The hostname.
    pub hostname: String,
    /// The user.
    pub user: String,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// `KEY=value` pairs.
    pub env: Vec<String>,
    /// The command.
    pub cmd: Vec<String>,
    /// The image as it was asked for.
    pub image: String,
    /// The working directory.
    pub working_dir: String,
    /// The entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Labels.
    pub labels: Labels,
}
