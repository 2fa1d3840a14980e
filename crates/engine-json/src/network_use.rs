//! Who is on a network: containers of this host, and with `verbose` services and nodes of the cluster.

use serde::{Deserialize, Serialize};

use crate::Labels;

/// A container of this host on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkContainer {
    /// Its name.
    pub name: String,
    /// The id of its place.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// The hardware address.
    pub mac_address: String,
    /// The address with the prefix length of the subnet.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// The same for version 6.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}

/// A node that takes part in a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkPeer {
    /// Its name.
    pub name: String,
    /// Its address.
    #[serde(rename = "IP")]
    pub ip: String,
}

/// A service on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkService {
    /// Its virtual address; empty if it has none.
    #[serde(rename = "VIP")]
    pub vip: String,
    /// Its published ports, in words.
    pub ports: Vec<String>,
    /// A number of Docker's balancer.
    #[serde(rename = "LocalLBIndex")]
    pub local_lb_index: u32,
    /// Its tasks.
    pub tasks: Vec<NetworkTask>,
}

/// A task on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkTask {
    /// Its name.
    pub name: String,
    /// The id of its place.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Its address.
    #[serde(rename = "EndpointIP")]
    pub endpoint_ip: String,
    /// More about it, such as `Host IP`.
    pub info: Labels,
}
