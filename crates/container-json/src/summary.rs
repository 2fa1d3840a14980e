//! A container in a list.

use std::collections::BTreeMap;

use engine_json::Labels;
use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{EndpointSettings, MountPoint};

/// A container in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Summary {
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
    pub ports: Vec<Port>,
    /// Bytes it wrote; told if asked for.
    #[serde(skip_serializing_if = "empty")]
    pub size_rw: i64,
    /// Bytes of its image and of what it wrote; told if asked for.
    #[serde(skip_serializing_if = "empty")]
    pub size_root_fs: i64,
    /// Labels.
    pub labels: Labels,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// The same for people, such as `Up 5 minutes`.
    pub status: String,
    /// What it has of its host, as far as lists tell.
    pub host_config: SummaryHostConfig,
    /// Its networks.
    pub network_settings: SummaryNetworks,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Port {
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

/// What a container has of its host, as far as lists tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// How it is networked.
    #[serde(skip_serializing_if = "empty")]
    pub network_mode: String,
    /// Notes for the runtime.
    #[serde(skip_serializing_if = "empty")]
    pub annotations: Labels,
}

/// The networks of a container in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworks {
    /// By name.
    pub networks: BTreeMap<String, EndpointSettings>,
}
