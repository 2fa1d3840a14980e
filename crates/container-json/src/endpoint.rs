//! A container's places on networks.

use std::collections::BTreeMap;

use engine_json::Labels;
use serde::{Deserialize, Serialize};

use crate::PortBinding;
use crate::omit::{empty, null_if_empty};

/// The networks a container is to be on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkingConfig {
    /// By the network's name.
    pub endpoints_config: BTreeMap<String, EndpointSettings>,
}

/// A container's place on one network: what was asked for, and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSettings {
    /// Addresses that were asked for.
    #[serde(rename = "IPAMConfig")]
    pub ipam_config: Option<EndpointIpam>,
    /// Containers known by other names.
    #[serde(serialize_with = "null_if_empty")]
    pub links: Vec<String>,
    /// Further names of this container.
    #[serde(serialize_with = "null_if_empty")]
    pub aliases: Vec<String>,
    /// The hardware address.
    pub mac_address: String,
    /// Options of the driver.
    #[serde(serialize_with = "null_if_empty")]
    pub driver_opts: Labels,
    /// Whose gateway is used, the greatest first.
    pub gw_priority: i64,
    /// The network's id.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// The id of this place.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// The gateway.
    pub gateway: String,
    /// The address.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// The prefix length of the subnet.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u8,
    /// The gateway of version 6.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// The address of version 6.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// Its prefix length.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u8,
    /// The names that resolve to it.
    #[serde(rename = "DNSNames", serialize_with = "null_if_empty")]
    pub dns_names: Vec<String>,
}

/// The body that puts a container on a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkConnect {
    /// The container.
    pub container: String,
    /// How it is to be there.
    pub endpoint_config: Option<EndpointSettings>,
}

/// The body that takes a container off a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkDisconnect {
    /// The container.
    pub container: String,
    /// Whether it is taken off although it cannot be told.
    pub force: bool,
}

/// Addresses that a container asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointIpam {
    /// Of version 4.
    #[serde(rename = "IPv4Address", skip_serializing_if = "empty")]
    pub ipv4_address: String,
    /// Of version 6.
    #[serde(rename = "IPv6Address", skip_serializing_if = "empty")]
    pub ipv6_address: String,
    /// Of its link alone.
    #[serde(rename = "LinkLocalIPs", skip_serializing_if = "empty")]
    pub link_local_ips: Vec<String>,
}

/// The networks a container is on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// Always empty.
    pub bridge: String,
    /// The id of its network namespace.
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    /// The file of its network namespace.
    pub sandbox_key: String,
    /// Where its ports are reached; none where they are not.
    pub ports: BTreeMap<String, Option<Vec<PortBinding>>>,
    /// Always false.
    pub hairpin_mode: bool,
    /// Always empty.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    /// Always 0.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: u8,
    /// Always absent.
    #[serde(rename = "SecondaryIPAddresses")]
    pub secondary_ip_addresses: Option<Vec<Address>>,
    /// Always absent.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub secondary_ipv6_addresses: Option<Vec<Address>>,
    /// The id of its place on the default network.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// The gateway of the default network.
    pub gateway: String,
    /// The address of version 6 on the default network.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// Its prefix length.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u8,
    /// The address on the default network.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Its prefix length.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u8,
    /// The gateway of version 6 of the default network.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// The hardware address on the default network.
    pub mac_address: String,
    /// Its networks, by name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// An address with its prefix length.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Address {
    /// The address.
    pub addr: String,
    /// The prefix length.
    pub prefix_len: u8,
}
