//! What the daemon says of itself and of its host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{ClusterInfo, GenericResource, Labels};

/// Headers and body of the answer to `/_ping`.
pub mod ping {
    /// The body of a `GET`.
    pub const BODY: &str = "OK";
    /// Its content type.
    pub const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
    /// Headers beside those that every answer has.
    pub const HEADERS: [(&str, &str); 3] = [
        ("Builder-Version", "2"),
        ("Cache-Control", "no-cache, no-store, must-revalidate"),
        ("Pragma", "no-cache"),
    ];
}

/// The answer to `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    /// What this platform is called.
    pub platform: PlatformName,
    /// What it consists of.
    pub components: Vec<Component>,
    /// The daemon's version.
    pub version: String,
    /// The latest version of the API.
    pub api_version: String,
    /// The earliest version of the API.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// The source's commit.
    pub git_commit: String,
    /// The compiler's version, in the place where Docker tells Go's.
    pub go_version: String,
    /// The operating system.
    pub os: String,
    /// The processor.
    pub arch: String,
    /// The kernel's version.
    #[serde(skip_serializing_if = "empty")]
    pub kernel_version: String,
    /// When it was built.
    #[serde(skip_serializing_if = "empty")]
    pub build_time: String,
}

/// What a platform is called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PlatformName {
    /// The name.
    pub name: String,
}

/// A part of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// More about it.
    #[serde(skip_serializing_if = "empty")]
    pub details: Labels,
}

/// The answer to `GET /info`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the names are Docker's and say what they hold")]
pub struct Info {
    #[serde(rename = "ID")]
    pub id: String,
    pub containers: u64,
    pub containers_running: u64,
    pub containers_paused: u64,
    pub containers_stopped: u64,
    pub images: u64,
    pub driver: String,
    pub driver_status: Vec<[String; 2]>,
    pub plugins: Plugins,
    pub memory_limit: bool,
    pub swap_limit: bool,
    pub cpu_cfs_period: bool,
    pub cpu_cfs_quota: bool,
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    pub pids_limit: bool,
    #[serde(rename = "IPv4Forwarding")]
    pub ipv4_forwarding: bool,
    pub debug: bool,
    pub n_fd: u64,
    pub oom_kill_disable: bool,
    pub n_goroutines: u64,
    pub system_time: String,
    pub logging_driver: String,
    pub cgroup_driver: String,
    #[serde(skip_serializing_if = "empty")]
    pub cgroup_version: String,
    pub n_events_listener: u64,
    pub kernel_version: String,
    pub operating_system: String,
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    #[serde(rename = "OSType")]
    pub os_type: String,
    pub architecture: String,
    pub index_server_address: String,
    pub registry_config: RegistryConfig,
    #[serde(rename = "NCPU")]
    pub n_cpu: u64,
    pub mem_total: u64,
    pub generic_resources: Option<Vec<GenericResource>>,
    pub docker_root_dir: String,
    pub http_proxy: String,
    pub https_proxy: String,
    pub no_proxy: String,
    pub name: String,
    pub labels: Vec<String>,
    pub experimental_build: bool,
    pub server_version: String,
    pub runtimes: BTreeMap<String, Runtime>,
    pub default_runtime: String,
    pub swarm: SwarmInfo,
    pub live_restore_enabled: bool,
    pub isolation: String,
    pub init_binary: String,
    pub containerd_commit: Commit,
    pub runc_commit: Commit,
    pub init_commit: Commit,
    pub security_options: Vec<String>,
    #[serde(rename = "CDISpecDirs")]
    pub cdi_spec_dirs: Vec<String>,
    pub warnings: Option<Vec<String>>,
}

/// Names of drivers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Plugins {
    /// Of volumes.
    pub volume: Vec<String>,
    /// Of networks.
    pub network: Vec<String>,
    /// Of authorization.
    pub authorization: Option<Vec<String>>,
    /// Of logs.
    pub log: Vec<String>,
}

/// Which registries are trusted how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegistryConfig {
    /// Networks whose registries may speak plain HTTP.
    #[serde(rename = "InsecureRegistryCIDRs")]
    pub insecure_registry_cidrs: Vec<String>,
    /// Settings by name.
    pub index_configs: BTreeMap<String, serde_json::Value>,
    /// Always absent.
    pub mirrors: Option<Vec<String>>,
}

/// A way to run containers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Its program.
    #[serde(skip_serializing_if = "empty")]
    pub path: String,
}

/// A commit of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Commit {
    /// The commit.
    #[serde(rename = "ID")]
    pub id: String,
}

/// This node's place in the cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmInfo {
    /// Its id.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Its address.
    pub node_addr: String,
    /// `inactive`, `pending`, `active`, `error` or `locked`.
    pub local_node_state: String,
    /// Whether it is a manager that answers.
    pub control_available: bool,
    /// Why it is not active.
    pub error: String,
    /// Managers it knows.
    pub remote_managers: Option<Vec<Peer>>,
    /// How many nodes there are; known to managers.
    #[serde(skip_serializing_if = "empty")]
    pub nodes: u64,
    /// How many of them are managers.
    #[serde(skip_serializing_if = "empty")]
    pub managers: u64,
    /// The cluster without its join tokens; known to managers.
    #[serde(skip_serializing_if = "empty")]
    pub cluster: Option<ClusterInfo>,
    /// What the user should know.
    #[serde(skip_serializing_if = "empty")]
    pub warnings: Vec<String>,
}

/// A manager.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peer {
    /// Its id.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Where it is reached.
    pub addr: String,
}
