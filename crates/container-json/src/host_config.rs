//! What a container has of its host.

use std::collections::BTreeMap;

use engine_json::{Labels, Lenient, Mount};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::Resources;
use crate::omit::{empty, null_if_empty, part};

/// What a container has of its host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, remote = "Self")]
pub struct HostConfig {
    /// Mounts as `source:target[:options]`.
    #[serde(serialize_with = "null_if_empty")]
    pub binds: Vec<String>,
    /// A file that the client writes the id to.
    #[serde(rename = "ContainerIDFile")]
    pub container_id_file: String,
    /// Where its output goes.
    pub log_config: LogConfig,
    /// `default`, `bridge`, `host`, `none`, `container:NAME` or a network's name.
    pub network_mode: String,
    /// Where ports such as `80/tcp` are reached.
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
    /// When it is started again.
    pub restart_policy: RestartPolicy,
    /// Whether it is removed when it has ended.
    pub auto_remove: bool,
    /// The driver of volumes that are made for it.
    pub volume_driver: String,
    /// Containers whose volumes it mounts, each `NAME[:ro]`.
    #[serde(serialize_with = "null_if_empty")]
    pub volumes_from: Vec<String>,
    /// Height and width of the client's terminal.
    pub console_size: [u32; 2],
    /// Notes for the runtime.
    #[serde(skip_serializing_if = "empty")]
    pub annotations: Labels,
    /// Capabilities beyond the default ones.
    #[serde(serialize_with = "null_if_empty")]
    pub cap_add: Vec<String>,
    /// Default capabilities it does not have.
    #[serde(serialize_with = "null_if_empty")]
    pub cap_drop: Vec<String>,
    /// `host` or `private`; empty means the default.
    pub cgroupns_mode: String,
    /// Addresses of resolvers.
    pub dns: Vec<String>,
    /// Options of the resolver.
    pub dns_options: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Further hosts, each `NAME:ADDRESS`.
    #[serde(serialize_with = "null_if_empty")]
    pub extra_hosts: Vec<String>,
    /// Further groups.
    #[serde(serialize_with = "null_if_empty")]
    pub group_add: Vec<String>,
    /// `none`, `private`, `shareable`, `host` or `container:NAME`; empty means the default.
    pub ipc_mode: String,
    /// A container whose cgroup it shares.
    pub cgroup: String,
    /// Containers it knows by other names, each `NAME:ALIAS`.
    #[serde(serialize_with = "null_if_empty")]
    pub links: Vec<String>,
    /// How readily the kernel kills it for memory, -1000 to 1000.
    pub oom_score_adj: i64,
    /// `host` or `container:NAME`; empty means its own.
    pub pid_mode: String,
    /// Whether nothing keeps it from the host.
    pub privileged: bool,
    /// Whether each exposed port gets one of the host.
    pub publish_all_ports: bool,
    /// Whether it cannot write to its root.
    pub readonly_rootfs: bool,
    /// Labels and profiles of security modules.
    #[serde(serialize_with = "null_if_empty")]
    pub security_opt: Vec<String>,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "empty")]
    pub storage_opt: Labels,
    /// Mount options by the path of a tmpfs.
    #[serde(skip_serializing_if = "empty")]
    pub tmpfs: Labels,
    /// `host`; empty means its own.
    #[serde(rename = "UTSMode")]
    pub uts_mode: String,
    /// `host`; empty means the default.
    pub userns_mode: String,
    /// Bytes of `/dev/shm`; 0 means the default.
    pub shm_size: i64,
    /// Kernel parameters of its namespaces.
    #[serde(skip_serializing_if = "empty")]
    pub sysctls: Labels,
    /// The runtime; empty means the default.
    #[serde(skip_serializing_if = "empty")]
    pub runtime: String,
    /// Of Windows.
    pub isolation: String,
    /// What it may use.
    #[serde(flatten, skip_deserializing)]
    pub resources: Resources,
    /// Mounts in the long form.
    #[serde(skip_serializing_if = "empty")]
    pub mounts: Vec<Mount>,
    /// Paths it does not see; none means the default.
    pub masked_paths: Option<Vec<String>>,
    /// Paths it cannot write to; none means the default.
    pub readonly_paths: Option<Vec<String>>,
    /// Whether an init runs above its program; none means the default.
    #[serde(skip_serializing_if = "empty")]
    pub init: Option<bool>,
}

impl Serialize for HostConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for HostConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let resources = part(value.clone())?;
        let own = Self::deserialize(Lenient(value)).map_err(|error| D::Error::custom(error.into_reason()))?;
        Ok(Self { resources, ..own })
    }
}

/// Where a container's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// The driver; empty means the default.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Its options.
    pub config: Labels,
}

/// Where a port is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortBinding {
    /// An address of the host; empty means all.
    pub host_ip: String,
    /// A port of the host or a range of them; empty means any.
    pub host_port: String,
}

/// When a container is started again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty means `no`.
    pub name: String,
    /// How often after failures; 0 means without end.
    pub maximum_retry_count: i64,
}
