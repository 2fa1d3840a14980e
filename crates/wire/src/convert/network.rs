//! A network.

use std::net::Ipv4Addr;

use model::{Ipam, IpamPool, Network, NetworkSpec};

use crate::field::{all, each, maybe, nested, optional};
use crate::{Error, pb};

impl From<&Network> for pb::Network {
    fn from(network: &Network) -> Self {
        let Network { id, meta, spec, subnet, vni, last_address } = network;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            spec: Some(spec.into()),
            subnet: maybe(subnet),
            vni: *vni,
            last_address: last_address.map(Ipv4Addr::to_bits),
        }
    }
}

impl TryFrom<pb::Network> for Network {
    type Error = Error;

    fn try_from(network: pb::Network) -> Result<Self, Error> {
        let pb::Network { id, meta, spec, subnet, vni, last_address } = network;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            spec: nested(spec, "spec")?,
            subnet: optional(subnet, "subnet")?,
            vni,
            last_address: last_address.map(Ipv4Addr::from_bits),
        })
    }
}

impl From<&NetworkSpec> for pb::NetworkSpec {
    fn from(spec: &NetworkSpec) -> Self {
        let NetworkSpec { name, labels, driver, driver_opts, internal, attachable, ingress, ipam } = spec;
        Self {
            name: name.clone(),
            labels: labels.clone(),
            driver: driver.clone(),
            driver_opts: driver_opts.clone(),
            internal: *internal,
            attachable: *attachable,
            ingress: *ingress,
            ipam: Some(ipam.into()),
        }
    }
}

impl TryFrom<pb::NetworkSpec> for NetworkSpec {
    type Error = Error;

    fn try_from(spec: pb::NetworkSpec) -> Result<Self, Error> {
        let pb::NetworkSpec { name, labels, driver, driver_opts, internal, attachable, ingress, ipam } = spec;
        Ok(Self {
            name,
            labels,
            driver,
            driver_opts,
            internal,
            attachable,
            ingress,
            ipam: nested(ipam, "ipam")?,
        })
    }
}

impl From<&Ipam> for pb::Ipam {
    fn from(ipam: &Ipam) -> Self {
        let Ipam { driver, options, pools } = ipam;
        Self { driver: driver.clone(), options: options.clone(), pools: all(pools) }
    }
}

impl TryFrom<pb::Ipam> for Ipam {
    type Error = Error;

    fn try_from(ipam: pb::Ipam) -> Result<Self, Error> {
        let pb::Ipam { driver, options, pools } = ipam;
        Ok(Self { driver, options, pools: each(pools, "pools")? })
    }
}

impl From<&IpamPool> for pb::IpamPool {
    fn from(pool: &IpamPool) -> Self {
        let IpamPool { subnet, range, gateway, auxiliary } = pool;
        Self {
            subnet: maybe(subnet),
            range: maybe(range),
            gateway: gateway.map(Ipv4Addr::to_bits),
            auxiliary: auxiliary.iter().map(|(name, address)| (name.clone(), address.to_bits())).collect(),
        }
    }
}

impl TryFrom<pb::IpamPool> for IpamPool {
    type Error = Error;

    fn try_from(pool: pb::IpamPool) -> Result<Self, Error> {
        let pb::IpamPool { subnet, range, gateway, auxiliary } = pool;
        Ok(Self {
            subnet: optional(subnet, "subnet")?,
            range: optional(range, "range")?,
            gateway: gateway.map(Ipv4Addr::from_bits),
            auxiliary: auxiliary.into_iter().map(|(name, bits)| (name, Ipv4Addr::from_bits(bits))).collect(),
        })
    }
}
