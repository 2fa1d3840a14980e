//! A network of the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::{Invalid, Labels, Meta, NetworkId};

/// A network of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id. Written by: `control`; by `manager` for the ingress network.
    pub id: NetworkId,
    /// Version and times.
    pub meta: Meta,
    /// What the user asked for. Written as `id`.
    pub spec: NetworkSpec,
    /// Its subnet, once allocated. Written by: `allocator`.
    pub subnet: Option<Subnet>,
    /// Its VXLAN network identifier, once allocated. Written by: `allocator`.
    pub vni: Option<u32>,
    /// The address given out last: the search for a free one goes on behind it, so that freed ones are used again
    /// last. Written by: `allocator`.
    pub last_address: Option<Ipv4Addr>,
}

impl Network {
    /// Returns the gateway's address, once the network has a subnet: the user's, or the first one.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        let subnet = self.subnet?;
        let asked = self.spec.ipam.pools.first().and_then(|pool| pool.gateway);
        asked.filter(|gateway| subnet.contains(*gateway)).or_else(|| subnet.nth(1))
    }
}

/// What a user asks of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkSpec {
    /// Unique in the cluster.
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// The driver; `overlay` unless told otherwise.
    pub driver: String,
    /// Options for the driver.
    pub driver_opts: Labels,
    /// Whether tasks on it have no way out.
    pub internal: bool,
    /// Whether containers outside services may join.
    pub attachable: bool,
    /// Whether it carries published ports; there is one such network.
    pub ingress: bool,
    /// Address management.
    pub ipam: Ipam,
}

/// Address management of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipam {
    /// The driver; empty means the built-in one.
    pub driver: String,
    /// Options for the driver.
    pub options: Labels,
    /// Pools as the user wrote them.
    pub pools: Vec<IpamPool>,
}

/// A pool of addresses as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpamPool {
    /// The subnet.
    pub subnet: Option<Subnet>,
    /// The part of it from which addresses are given out.
    pub range: Option<Subnet>,
    /// The gateway's address.
    pub gateway: Option<Ipv4Addr>,
    /// Addresses that are never given out, by name.
    pub auxiliary: BTreeMap<String, Ipv4Addr>,
}

/// An IPv4 subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    /// Its first address.
    pub base: Ipv4Addr,
    /// The length of its prefix, 0 to 32.
    pub prefix: u8,
}

impl Subnet {
    /// Returns the subnet of that prefix which holds `address`.
    pub fn around(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        if prefix > 32 {
            return None;
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Some(Self { base: Ipv4Addr::from_bits(address.to_bits() & mask), prefix })
    }

    /// Returns how many addresses it has.
    pub fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    /// Returns its address number `n`, counted from the base.
    pub fn nth(self, n: u64) -> Option<Ipv4Addr> {
        (n < self.size()).then(|| Ipv4Addr::from_bits(self.base.to_bits() + n as u32))
    }

    /// Claims that the address lies inside.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        Self::around(address, self.prefix).is_some_and(|around| around.base == self.base)
    }

    /// Claims that the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            Invalid::because(format!("invalid subnet {text}: expected ADDRESS/LENGTH such as 10.0.9.0/24"))
        };
        let (address, prefix) = text.split_once('/').ok_or_else(refuse)?;
        let address = address.parse().map_err(|_| refuse())?;
        Self::around(address, prefix.parse().map_err(|_| refuse())?).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_know_their_addresses() {
        let subnet: Subnet = "10.0.9.7/24".parse().unwrap();

        assert_eq!(subnet.to_string(), "10.0.9.0/24");
        assert_eq!(subnet.nth(1), Some(Ipv4Addr::new(10, 0, 9, 1)));
        assert_eq!(subnet.nth(256), None);
        assert!(subnet.contains(Ipv4Addr::new(10, 0, 9, 255)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 0, 10, 0)));
        assert!("0.0.0.0/0".parse::<Subnet>().unwrap().overlaps(subnet));
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0/8"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }
}
