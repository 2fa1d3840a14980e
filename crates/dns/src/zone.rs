//! The names of one network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The prefix by which users ask for all tasks of a service.
const TASKS: &str = "tasks.";

/// The names of one network, and what they lead to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    network: String,
    /// In small letters. Empty for the name of a service that nothing serves.
    names: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    reverse: BTreeMap<Ipv4Addr, String>,
}

/// A service as its network knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name and its aliases.
    pub names: Vec<String>,
    /// The address its names lead to; without one they lead to all its tasks.
    pub virtual_ip: Option<Ipv4Addr>,
    /// The addresses of those tasks that serve.
    pub tasks: Vec<Ipv4Addr>,
}

/// A container as its network knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its names, the one that its address leads back to first.
    pub names: Vec<String>,
    /// Its address.
    pub address: Ipv4Addr,
}

impl Zone {
    /// Makes the zone of the network of that name. One name given to several leads to all of them.
    pub fn new(network: &str, services: &[Service], members: &[Member]) -> Self {
        let mut zone = Self { network: network.to_ascii_lowercase(), ..Self::default() };
        for Member { names, address } in members {
            for name in names {
                zone.add(name, [*address]);
            }
            zone.lead_back(*address, names);
        }
        for Service { names, virtual_ip, tasks } in services {
            // What only refuses connections need not be found.
            let virtual_ip = virtual_ip.filter(|_| !tasks.is_empty());
            for name in names {
                match virtual_ip {
                    Some(address) => zone.add(name, [address]),
                    None => zone.add(name, tasks.iter().copied()),
                }
                zone.add(&format!("{TASKS}{name}"), tasks.iter().copied());
            }
            if let Some(address) = virtual_ip {
                zone.lead_back(address, names);
            }
        }
        zone
    }

    fn add(&mut self, name: &str, addresses: impl IntoIterator<Item = Ipv4Addr>) {
        if !name.is_empty() {
            self.names.entry(name.to_ascii_lowercase()).or_default().extend(addresses);
        }
    }

    fn lead_back(&mut self, address: Ipv4Addr, names: &[String]) {
        if let Some(name) = names.first().filter(|name| !name.is_empty()) {
            self.reverse.entry(address).or_insert_with(|| name.clone());
        }
    }

    /// Returns what a name in small letters leads to; it may be followed by the network's name.
    pub(crate) fn addresses(&self, name: &str) -> Option<&BTreeSet<Ipv4Addr>> {
        self.names.get(name).or_else(|| {
            let bare = name.strip_suffix(&self.network)?.strip_suffix('.')?;
            self.names.get(bare)
        })
    }

    /// Returns the name that an address leads back to, followed by the network's.
    pub(crate) fn name_of(&self, address: Ipv4Addr) -> Option<String> {
        let name = self.reverse.get(&address)?;
        Some(if self.network.is_empty() { name.clone() } else { format!("{name}.{}", self.network) })
    }
}
