//! The cluster, and the bodies by which a node founds, joins and unlocks it.

use std::fmt;

use model::{Availability, Invalid, Subnet};
use serde::{Deserialize, Serialize};

use crate::node::read_availability;
use crate::omit::empty;
use crate::{ObjectVersion, SwarmSpec, Time, TlsInfo};

/// The cluster as `GET /swarm` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ClusterInfo {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version, which an update must name.
    pub version: ObjectVersion,
    /// When it was founded.
    pub created_at: Time,
    /// When it was last written.
    pub updated_at: Time,
    /// Settings.
    pub spec: SwarmSpec,
    /// The root of every certificate.
    #[serde(rename = "TLSInfo")]
    pub tls_info: TlsInfo,
    /// Whether the root is being replaced.
    pub root_rotation_in_progress: bool,
    /// Pools from which subnets are cut.
    pub default_addr_pool: Vec<String>,
    /// The prefix length of a subnet.
    pub subnet_size: u32,
    /// The UDP port of VXLAN.
    pub data_path_port: u32,
    /// What lets a node join; absent in `GET /info`.
    #[serde(skip_serializing_if = "empty")]
    pub join_tokens: Option<JoinTokens>,
}

/// The cluster with its join tokens.
pub type Swarm = ClusterInfo;

/// What lets a node join.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JoinTokens {
    /// As a worker.
    pub worker: String,
    /// As a manager.
    pub manager: String,
}

impl fmt::Debug for JoinTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinTokens")
    }
}

impl ClusterInfo {
    /// Shows the cluster without its join tokens.
    pub fn new(cluster: &model::Cluster, tls_info: TlsInfo) -> Self {
        Self {
            id: cluster.id.to_string(),
            version: cluster.meta.version.into(),
            created_at: cluster.meta.created_at.into(),
            updated_at: cluster.meta.updated_at.into(),
            spec: SwarmSpec::from(&cluster.spec),
            tls_info,
            root_rotation_in_progress: false,
            default_addr_pool: cluster.address_pools.iter().map(Subnet::to_string).collect(),
            subnet_size: cluster.subnet_prefix.into(),
            data_path_port: cluster.data_path_port.into(),
            join_tokens: None,
        }
    }

    /// Shows the cluster with its join tokens.
    pub fn with_tokens(cluster: &model::Cluster, tls_info: TlsInfo) -> Self {
        let model::JoinTokens { worker, manager } = cluster.join_tokens.clone();
        Self { join_tokens: Some(JoinTokens { worker, manager }), ..Self::new(cluster, tls_info) }
    }
}

/// The body that founds a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InitRequest {
    /// Where managers listen.
    pub listen_addr: String,
    /// The address told to other nodes.
    pub advertise_addr: String,
    /// The address of container traffic.
    pub data_path_addr: String,
    /// The UDP port of VXLAN; 0 means the default.
    pub data_path_port: u32,
    /// Whether to go on alone from the state on disk.
    pub force_new_cluster: bool,
    /// Settings.
    pub spec: SwarmSpec,
    /// Whether managers lock.
    pub auto_lock_managers: bool,
    /// Whether this node takes tasks.
    pub availability: String,
    /// Pools from which subnets are cut.
    pub default_addr_pool: Vec<String>,
    /// The prefix length of a subnet; 0 means the default.
    pub subnet_size: u32,
}

/// The body by which a node joins a cluster.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JoinRequest {
    /// Where managers listen.
    pub listen_addr: String,
    /// The address told to other nodes.
    pub advertise_addr: String,
    /// The address of container traffic.
    pub data_path_addr: String,
    /// Managers to ask.
    pub remote_addrs: Vec<String>,
    /// What lets it in.
    pub join_token: String,
    /// Whether this node takes tasks.
    pub availability: String,
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest").field("remote_addrs", &self.remote_addrs).finish_non_exhaustive()
    }
}

/// The key that unlocks a manager.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UnlockKey {
    /// The key.
    pub unlock_key: String,
}

impl fmt::Debug for UnlockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnlockKey")
    }
}

fn availability(text: &str) -> Result<Availability, Invalid> {
    if text.is_empty() { Ok(Availability::Active) } else { read_availability(text) }
}

impl InitRequest {
    /// Returns whether this node takes tasks; active unless told otherwise.
    pub fn availability(&self) -> Result<Availability, Invalid> {
        availability(&self.availability)
    }

    /// Returns the pools from which subnets are cut; none means the default.
    pub fn address_pools(&self) -> Result<Vec<Subnet>, Invalid> {
        self.default_addr_pool.iter().map(|pool| pool.parse()).collect()
    }
}

impl JoinRequest {
    /// Returns whether this node takes tasks; active unless told otherwise.
    pub fn availability(&self) -> Result<Availability, Invalid> {
        availability(&self.availability)
    }
}
