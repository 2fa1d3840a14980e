//! How a service is reached: endpoint mode, published ports, virtual addresses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::{Invalid, NetworkId};

/// What a user asks of a service's endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSpec {
    /// How the service's name resolves.
    pub mode: EndpointMode,
    /// Published ports.
    pub ports: Vec<PortSpec>,
}

/// How a service's name resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointMode {
    /// To one virtual address that is balanced over the tasks.
    #[default]
    Vip,
    /// To the addresses of all tasks.
    Dnsrr,
}

/// A port that a user wants published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortSpec {
    /// A free name.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port inside the container.
    pub target: u16,
    /// The port outside; 0 means that one is chosen.
    pub published: u16,
    /// Where it is published.
    pub mode: PublishMode,
}

/// A port as it is published: like [`PortSpec`], with the chosen port filled in.
pub type PublishedPort = PortSpec;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// Where a port is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublishMode {
    /// On every node.
    Ingress,
    /// On the nodes that run a task, for that task.
    Host,
}

impl EndpointSpec {
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let mut seen = BTreeSet::new();
        for port in &self.ports {
            if port.target == 0 {
                return Err(Invalid::because(
                    "invalid port: a published port needs a target port from 1 to 65535",
                ));
            }
            if self.mode == EndpointMode::Dnsrr && port.mode == PublishMode::Ingress {
                return Err(Invalid::because(
                    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
                ));
            }
            if port.published != 0 && !seen.insert((port.published, port.protocol, port.mode)) {
                return Err(Invalid::because(format!(
                    "EndpointSpec: duplicate published ports provided: {}/{} is published twice",
                    port.published,
                    port.protocol.as_str()
                )));
            }
        }
        Ok(())
    }

    /// Returns the ports published on every node.
    pub fn ingress_ports(&self) -> impl Iterator<Item = &PortSpec> {
        self.ports.iter().filter(|port| port.mode == PublishMode::Ingress)
    }

    /// Returns the ports published on the task's own node.
    pub fn host_ports(&self) -> impl Iterator<Item = &PortSpec> {
        self.ports.iter().filter(|port| port.mode == PublishMode::Host)
    }
}

/// A service's endpoint as allocated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoint {
    /// The spec it was allocated for; absent before the first allocation.
    pub spec: Option<EndpointSpec>,
    /// The ports with every published port filled in.
    pub ports: Vec<PublishedPort>,
    /// One virtual address per network in `vip` mode.
    pub virtual_ips: Vec<VirtualIp>,
}

/// A service's address on one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualIp {
    /// The network.
    pub network: NetworkId,
    /// The address.
    pub address: Ipv4Addr,
}
