//! A container in full.

use engine_json::{Labels, Time};
use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty};
use crate::{Config, HostConfig, MountPoint, NetworkSettings, State};

/// A container in full.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Inspect {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Whether it runs.
    pub state: State,
    /// The image's id.
    pub image: String,
    /// The file that is its `/etc/resolv.conf`.
    pub resolv_conf_path: String,
    /// The file that is its `/etc/hostname`.
    pub hostname_path: String,
    /// The file that is its `/etc/hosts`.
    pub hosts_path: String,
    /// The file of its output.
    pub log_path: String,
    /// Its name, with a slash before it.
    pub name: String,
    /// How often it was restarted.
    pub restart_count: u32,
    /// The storage driver.
    pub driver: String,
    /// The operating system.
    pub platform: String,
    /// Always empty.
    pub mount_label: String,
    /// Always empty.
    pub process_label: String,
    /// Its profile, on hosts with AppArmor.
    pub app_armor_profile: String,
    /// Commands that run in it beside its program.
    #[serde(rename = "ExecIDs", serialize_with = "null_if_empty")]
    pub exec_ids: Vec<String>,
    /// What it has of its host.
    pub host_config: HostConfig,
    /// Where its root lies.
    pub graph_driver: GraphDriver,
    /// Bytes it wrote; told if asked for.
    #[serde(skip_serializing_if = "empty")]
    pub size_rw: Option<i64>,
    /// Bytes of its image and of what it wrote; told if asked for.
    #[serde(skip_serializing_if = "empty")]
    pub size_root_fs: Option<i64>,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
    /// What runs in it.
    pub config: Config,
    /// Its networks.
    pub network_settings: NetworkSettings,
}

/// Where a container's root lies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// Its directories.
    #[serde(serialize_with = "null_if_empty")]
    pub data: Labels,
    /// The storage driver.
    pub name: String,
}
