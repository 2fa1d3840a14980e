//! How a service is reached.

use model::{EndpointMode, Invalid, NetworkId, PortSpec, Protocol, PublishMode};
use serde::{Deserialize, Serialize};

use crate::omit::empty;

/// What a user asks of a service's endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSpec {
    /// `vip` or `dnsrr`; empty means `vip`.
    #[serde(skip_serializing_if = "empty")]
    pub mode: String,
    /// Published ports.
    #[serde(skip_serializing_if = "empty")]
    pub ports: Vec<PortConfig>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortConfig {
    /// A free name.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// `tcp`, `udp` or `sctp`; empty means `tcp`.
    #[serde(skip_serializing_if = "empty")]
    pub protocol: String,
    /// The port inside the container.
    #[serde(skip_serializing_if = "empty")]
    pub target_port: u32,
    /// The port outside; 0 means that one is chosen.
    #[serde(skip_serializing_if = "empty")]
    pub published_port: u32,
    /// `ingress` or `host`; empty means `ingress`.
    #[serde(skip_serializing_if = "empty")]
    pub publish_mode: String,
}

/// A service's endpoint as allocated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Endpoint {
    /// The spec it was allocated for.
    pub spec: EndpointSpec,
    /// The ports with every published port filled in.
    #[serde(skip_serializing_if = "empty")]
    pub ports: Vec<PortConfig>,
    /// Virtual addresses.
    #[serde(rename = "VirtualIPs", skip_serializing_if = "empty")]
    pub virtual_ips: Vec<VirtualIp>,
}

/// A service's address on one network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VirtualIp {
    /// The network.
    #[serde(rename = "NetworkID", skip_serializing_if = "empty")]
    pub network_id: String,
    /// The address with the prefix length of its subnet.
    #[serde(skip_serializing_if = "empty")]
    pub addr: String,
}

impl TryFrom<EndpointSpec> for model::EndpointSpec {
    type Error = Invalid;

    fn try_from(EndpointSpec { mode, ports }: EndpointSpec) -> Result<Self, Invalid> {
        let mode = match mode.as_str() {
            "" | "vip" => EndpointMode::Vip,
            "dnsrr" => EndpointMode::Dnsrr,
            other => return Err(Invalid::because(format!("invalid resolution mode: {other:?}"))),
        };
        Ok(Self { mode, ports: ports.into_iter().map(PortSpec::try_from).collect::<Result<_, _>>()? })
    }
}

impl From<&model::EndpointSpec> for EndpointSpec {
    fn from(model::EndpointSpec { mode, ports }: &model::EndpointSpec) -> Self {
        let mode = match mode {
            EndpointMode::Vip => "vip",
            EndpointMode::Dnsrr => "dnsrr",
        };
        Self { mode: mode.into(), ports: ports.iter().map(PortConfig::from).collect() }
    }
}

impl TryFrom<PortConfig> for PortSpec {
    type Error = Invalid;

    fn try_from(port: PortConfig) -> Result<Self, Invalid> {
        let PortConfig { name, protocol, target_port, published_port, publish_mode } = port;
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "" | "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => {
                return Err(Invalid::because(format!(
                    "invalid port protocol {protocol:?}: use tcp, udp or sctp"
                )));
            }
        };
        let mode = match publish_mode.to_ascii_lowercase().as_str() {
            "" | "ingress" => PublishMode::Ingress,
            "host" => PublishMode::Host,
            _ => {
                return Err(Invalid::because(format!(
                    "invalid publish mode {publish_mode:?}: use ingress or host"
                )));
            }
        };
        let number = |port: u32| {
            u16::try_from(port)
                .map_err(|_| Invalid::because(format!("invalid port {port}: the highest port is 65535")))
        };
        Ok(Self { name, protocol, target: number(target_port)?, published: number(published_port)?, mode })
    }
}

impl From<&PortSpec> for PortConfig {
    fn from(PortSpec { name, protocol, target, published, mode }: &PortSpec) -> Self {
        let mode = match mode {
            PublishMode::Ingress => "ingress",
            PublishMode::Host => "host",
        };
        Self {
            name: name.clone(),
            protocol: protocol.as_str().into(),
            target_port: (*target).into(),
            published_port: (*published).into(),
            publish_mode: mode.into(),
        }
    }
}

impl Endpoint {
    /// Shows an endpoint; `prefix_of` gives the prefix length of a network's subnet.
    pub fn new(endpoint: &model::Endpoint, prefix_of: &dyn Fn(NetworkId) -> Option<u8>) -> Self {
        let model::Endpoint { spec, ports, virtual_ips } = endpoint;
        let virtual_ips = virtual_ips
            .iter()
            .map(|model::VirtualIp { network, address }| VirtualIp {
                network_id: network.to_string(),
                addr: match prefix_of(*network) {
                    Some(prefix) => format!("{address}/{prefix}"),
                    None => address.to_string(),
                },
            })
            .collect();
        Self {
            spec: spec.as_ref().map(EndpointSpec::from).unwrap_or_default(),
            ports: ports.iter().map(PortConfig::from).collect(),
            virtual_ips,
        }
    }
}
