//! A network of the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::{Invalid, Labels, Meta, NetworkId, check_name};

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

/// A network that every node has and that services may be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predefined {
    /// The node's own, shared with it.
    Host,
    /// The node's own bridge, on which every container with a way out is.
    Bridge,
}

impl Predefined {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Host, Self::Bridge];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bridge => "bridge",
        }
    }

    /// Returns the id by which specs name it, the same in every cluster.
    pub fn id(self) -> NetworkId {
        let text = match self {
            Self::Host => "0000000000predefined0host",
            Self::Bridge => "00000000predefined0bridge",
        };
        text.parse().expect("25 digits below the highest id are an id")
    }

    /// Returns the one that has this id or name.
    pub fn find(target: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.name() == target || network.id().to_string() == target)
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

    /// Claims that a host inside may have the address: it is neither the first nor the last.
    pub fn has_host(self, address: Ipv4Addr) -> bool {
        self.contains(address) && address != self.base && Some(address) != self.nth(self.size() - 1)
    }

    /// Claims that the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}

/// The shortest prefix of a network's subnet, so that its addresses can be kept book of.
const PREFIX_MIN: u8 = 8;
/// The longest one: behind the subnet's own address, the gateway's and the broadcast there is one to give out.
const PREFIX_MAX: u8 = 30;
/// The addresses that nobody can be reached at.
const UNUSABLE: [(&str, Subnet); 4] = [
    ("is not an address of anybody", Subnet { base: Ipv4Addr::new(0, 0, 0, 0), prefix: 8 }),
    ("is a host's own", Subnet { base: Ipv4Addr::new(127, 0, 0, 0), prefix: 8 }),
    ("is for multicast and reserved", Subnet { base: Ipv4Addr::new(224, 0, 0, 0), prefix: 3 }),
    (
        "is where nodes have their addresses inside networks",
        Subnet { base: Ipv4Addr::new(198, 18, 0, 0), prefix: 15 },
    ),
];

impl NetworkSpec {
    /// Checks everything that can be checked without the cluster.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_name(&self.name)?;
        if self.ingress && !self.is_overlay() {
            return Err(Invalid::because("only overlay driver is currently supported for ingress network"));
        }
        if self.ingress && self.attachable {
            return Err(Invalid::because("ingress network cannot be attachable"));
        }
        let [pool, rest @ ..] = &self.ipam.pools[..] else { return Ok(()) };
        if !rest.is_empty() {
            return Err(Invalid::because("ipam configuration: a network of the cluster has one subnet"));
        }
        pool.validate()
    }

    /// Claims that tasks on the network get addresses of the cluster.
    pub fn is_overlay(&self) -> bool {
        matches!(self.driver.as_str(), "" | "overlay")
    }
}

impl IpamPool {
    fn validate(&self) -> Result<(), Invalid> {
        let Self { subnet, range, gateway, auxiliary } = self;
        let Some(subnet) = *subnet else {
            return Err(Invalid::because("ipam configuration: a range or an address needs a subnet"));
        };
        let refuse = |why: String| Err(Invalid::because(format!("ipam configuration: {why}")));
        if let Some((why, taken)) = UNUSABLE.iter().find(|(_, taken)| taken.overlaps(subnet)) {
            return refuse(format!("subnet {subnet} cannot be used: {taken} {why}"));
        }
        if !(PREFIX_MIN..=PREFIX_MAX).contains(&subnet.prefix) {
            return refuse(format!(
                "subnet {subnet} cannot be used: its prefix must have from {PREFIX_MIN} to {PREFIX_MAX} bits"
            ));
        }
        if let Some(range) =
            range.filter(|range| range.prefix < subnet.prefix || !subnet.contains(range.base))
        {
            return refuse(format!("subnet {subnet} does not contain range {range}"));
        }
        if let Some(gateway) = gateway.filter(|gateway| !subnet.has_host(*gateway)) {
            return refuse(format!("subnet {subnet} does not contain gateway {gateway}"));
        }
        match auxiliary.iter().find(|(_, address)| !subnet.has_host(**address)) {
            Some((name, address)) => {
                refuse(format!("subnet {subnet} does not contain auxiliary address {name}: {address}"))
            }
            None => Ok(()),
        }
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

    fn check(pool: &str) -> Result<(), String> {
        let mut spec = NetworkSpec { name: "net".into(), ..NetworkSpec::default() };
        let mut words = pool.split(' ');
        let subnet = words.next().filter(|word| !word.is_empty()).map(|word| word.parse().unwrap());
        let mut pool = IpamPool { subnet, ..IpamPool::default() };
        for word in words {
            match word.split_once('=').unwrap() {
                ("range", text) => pool.range = Some(text.parse().unwrap()),
                ("gateway", text) => pool.gateway = Some(text.parse().unwrap()),
                (name, text) => drop(pool.auxiliary.insert(name.into(), text.parse().unwrap())),
            }
        }
        spec.ipam.pools.push(pool);
        spec.validate().map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn subnets_that_cannot_be_used_are_refused() {
        for good in [
            "10.9.0.0/24",
            "10.0.0.0/8",
            "10.9.0.0/30",
            "10.9.0.0/24 range=10.9.0.128/25 gateway=10.9.0.1 a=10.9.0.2",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "a range or an address needs a subnet"),
            ("10.0.0.0/7", "its prefix must have from 8 to 30 bits"),
            ("10.9.0.0/31", "its prefix must have from 8 to 30 bits"),
            ("127.1.0.0/16", "127.0.0.0/8 is a host's own"),
            ("224.0.0.0/24", "multicast"),
            ("255.255.255.0/24", "reserved"),
            ("0.0.0.0/0", "0.0.0.0/8 is not an address of anybody"),
            ("198.19.3.0/24", "198.18.0.0/15 is where nodes have their addresses"),
            ("10.9.0.0/24 range=10.9.0.0/16", "does not contain range 10.9.0.0/16"),
            ("10.9.0.0/24 range=10.8.0.0/25", "does not contain range 10.8.0.0/25"),
            ("10.9.0.0/24 gateway=10.8.0.1", "does not contain gateway 10.8.0.1"),
            ("10.9.0.0/24 gateway=10.9.0.0", "does not contain gateway 10.9.0.0"),
            ("10.9.0.0/24 gateway=10.9.0.255", "does not contain gateway 10.9.0.255"),
            ("10.9.0.0/24 a=10.8.0.1", "does not contain auxiliary address a: 10.8.0.1"),
        ] {
            let error = check(bad).unwrap_err();

            assert!(error.starts_with("ipam configuration: ") && error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn ingress_networks_are_overlays_that_nobody_attaches_to() {
        let ingress = |change: &dyn Fn(&mut NetworkSpec)| {
            let mut spec = NetworkSpec { name: "net".into(), ingress: true, ..NetworkSpec::default() };
            change(&mut spec);
            spec.validate().map_err(|invalid| invalid.to_string())
        };

        assert_eq!(ingress(&|_| {}), Ok(()));
        assert_eq!(
            ingress(&|spec| spec.attachable = true),
            Err("ingress network cannot be attachable".to_owned())
        );
        assert!(ingress(&|spec| spec.driver = "macvlan".into()).unwrap_err().contains("only overlay driver"));
        assert!(ingress(&|spec| spec.name = "a.b".into()).is_err());
    }

    #[test]
    fn predefined_networks_are_found_by_name_and_id() {
        for network in Predefined::ALL {
            assert_eq!(Predefined::find(network.name()), Some(network));
            assert_eq!(Predefined::find(&network.id().to_string()), Some(network));
        }
        assert_eq!(Predefined::find("none"), None);
    }

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
