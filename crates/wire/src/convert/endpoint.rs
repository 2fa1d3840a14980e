//! How a service is reached.

use std::net::Ipv4Addr;

use model::{Endpoint, EndpointSpec, PortSpec, VirtualIp};

use crate::field::{all, choice, each, maybe, nested, number, optional};
use crate::{Error, pb};

impl From<&EndpointSpec> for pb::EndpointSpec {
    fn from(spec: &EndpointSpec) -> Self {
        let EndpointSpec { mode, ports } = spec;
        Self { mode: pb::EndpointMode::from(*mode).into(), ports: all(ports) }
    }
}

impl TryFrom<pb::EndpointSpec> for EndpointSpec {
    type Error = Error;

    fn try_from(spec: pb::EndpointSpec) -> Result<Self, Error> {
        let pb::EndpointSpec { mode, ports } = spec;
        Ok(Self { mode: choice(mode, "mode")?, ports: each(ports, "ports")? })
    }
}

impl From<&PortSpec> for pb::PortSpec {
    fn from(port: &PortSpec) -> Self {
        let PortSpec { name, protocol, target, published, mode } = port;
        Self {
            name: name.clone(),
            protocol: pb::Protocol::from(*protocol).into(),
            target: (*target).into(),
            published: (*published).into(),
            mode: pb::PublishMode::from(*mode).into(),
        }
    }
}

impl TryFrom<pb::PortSpec> for PortSpec {
    type Error = Error;

    fn try_from(port: pb::PortSpec) -> Result<Self, Error> {
        let pb::PortSpec { name, protocol, target, published, mode } = port;
        Ok(Self {
            name,
            protocol: choice(protocol, "protocol")?,
            target: number(target, "target")?,
            published: number(published, "published")?,
            mode: choice(mode, "mode")?,
        })
    }
}

impl From<&Endpoint> for pb::Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint { spec, ports, virtual_ips } = endpoint;
        Self { spec: maybe(spec), ports: all(ports), virtual_ips: all(virtual_ips) }
    }
}

impl TryFrom<pb::Endpoint> for Endpoint {
    type Error = Error;

    fn try_from(endpoint: pb::Endpoint) -> Result<Self, Error> {
        let pb::Endpoint { spec, ports, virtual_ips } = endpoint;
        Ok(Self {
            spec: optional(spec, "spec")?,
            ports: each(ports, "ports")?,
            virtual_ips: each(virtual_ips, "virtual_ips")?,
        })
    }
}

impl From<&VirtualIp> for pb::VirtualIp {
    fn from(vip: &VirtualIp) -> Self {
        let VirtualIp { network, address } = vip;
        Self { network: Some((*network).into()), address: address.to_bits() }
    }
}

impl TryFrom<pb::VirtualIp> for VirtualIp {
    type Error = Error;

    fn try_from(vip: pb::VirtualIp) -> Result<Self, Error> {
        let pb::VirtualIp { network, address } = vip;
        Ok(Self { network: nested(network, "network")?, address: Ipv4Addr::from_bits(address) })
    }
}
