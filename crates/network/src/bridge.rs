//! The host's own bridges `drover0` and `drover1`: finding free ranges for them, and making them.

use std::net::Ipv4Addr;

use crate::namespace::set_option;
use crate::netlink::link::{self, Link};
use crate::netlink::route::{LinkAddress, addresses, default_link, destinations};
use crate::netlink::{Batch, Socket};
use crate::pool::Pool;
use crate::{Error, Ipv4Net, mac_of};

/// Is one of a host's own bridges; containers of different ones do not reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Bridge {
    /// `drover0`, for containers that have overlays to reach each other: on it they do not.
    #[default]
    Closed,
    /// `drover1`, whose containers reach each other.
    Open,
}

impl Bridge {
    pub(crate) const ALL: [Bridge; 2] = [Bridge::Closed, Bridge::Open];

    /// Returns the name of its link.
    pub const fn name(self) -> &'static str {
        match self {
            Bridge::Closed => "drover0",
            Bridge::Open => "drover1",
        }
    }

    /// Returns the word for it in records.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Bridge::Closed => "closed",
            Bridge::Open => "open",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Bridge> {
        Bridge::ALL.into_iter().find(|bridge| bridge.word() == word)
    }
}

/// Is something that each bridge has.
#[derive(Debug)]
pub(crate) struct PerBridge<T> {
    closed: T,
    open: T,
}

impl<T> PerBridge<T> {
    pub(crate) fn make(mut make: impl FnMut(Bridge) -> Result<T, Error>) -> Result<PerBridge<T>, Error> {
        Ok(PerBridge { closed: make(Bridge::Closed)?, open: make(Bridge::Open)? })
    }

    pub(crate) fn of(&self, bridge: Bridge) -> &T {
        match bridge {
            Bridge::Closed => &self.closed,
            Bridge::Open => &self.open,
        }
    }

    pub(crate) fn of_mut(&mut self, bridge: Bridge) -> &mut T {
        match bridge {
            Bridge::Closed => &mut self.closed,
            Bridge::Open => &mut self.open,
        }
    }
}

impl<A, B> PerBridge<(A, B)> {
    pub(crate) fn unzip(self) -> (PerBridge<A>, PerBridge<B>) {
        let PerBridge { closed, open } = self;
        (PerBridge { closed: closed.0, open: open.0 }, PerBridge { closed: closed.1, open: open.1 })
    }
}

/// Returns the MTU of the link that leads to the world outside, which bridges need to know as nobody else tells
/// containers.
pub(crate) fn outside_mtu(socket: &Socket, links: &[Link]) -> Result<u32, Error> {
    /// That of Ethernet.
    const MTU_USUAL: u32 = 1500;
    let outside = default_link(socket)?.and_then(|index| links.iter().find(|link| link.index == index));
    Ok(outside.map_or(MTU_USUAL, |link| link.mtu.min(u32::from(u16::MAX))))
}

/// Makes a bridge, or takes over the one that is there, and returns its index and addresses.
pub(crate) fn ensure(
    socket: &Socket,
    bridge: Bridge,
    wanted: Ipv4Net,
    mtu: u32,
) -> Result<(u32, Pool), Error> {
    let name = bridge.name();
    let links = link::links(socket)?;
    let present = link::named(&links, name).map(|link| link.index);
    let all = addresses(socket)?;
    let current = all.iter().find(|found| Some(found.link) == present).and_then(|found| found.v4());
    let net = match current {
        Some(net) => net,
        None => gateway(choose(wanted, &taken(socket, &all)?)?),
    };
    let mut batch = Batch::default();
    if present.is_none() {
        batch.add_link("make the bridge", link::bridge(name, mtu, mac_of(net.address())));
        batch.send(socket, name)?;
        batch = Batch::default();
    }
    let links = link::links(socket)?;
    let gone = || Error::kernel(format!("find {name}"))(std::io::ErrorKind::NotFound.into());
    let index = link::named(&links, name).ok_or_else(gone)?.index;
    batch.add_address(index, net);
    batch.set_link("bring up the bridge", link::up(index));
    batch.send(socket, name)?;
    set_kernel_options(name)?;
    Ok((index, Pool::new(net.network())))
}

/// Tells whether the packet filter sees frames that pass from port to port.
///
/// Then its rules keep containers apart, and ports must not be isolated: a connection to a published port is bridged
/// after its destination was rewritten. Otherwise isolation is what keeps them apart. Other software of the host may
/// need either setting, so it is left as it is. The calling thread must be on the host.
pub(crate) fn is_filtered() -> bool {
    std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .is_ok_and(|value| value.trim() == "1")
}

/// Turns on forwarding, and answers to the host's own clients that use 127.0.0.1.
fn set_kernel_options(name: &str) -> Result<(), Error> {
    set_option("net/ipv4/ip_forward", "1")?;
    set_option(&format!("net/ipv4/conf/{name}/route_localnet"), "1")
}

fn taken(socket: &Socket, addresses: &[LinkAddress]) -> Result<Vec<Ipv4Net>, Error> {
    let mut taken = destinations(socket)?;
    taken.extend(addresses.iter().filter_map(|found| found.v4()));
    Ok(taken)
}

/// Picks the wanted range, or the first private one that no route of the host touches.
fn choose(wanted: Ipv4Net, taken: &[Ipv4Net]) -> Result<Ipv4Net, Error> {
    let others = (17..=31)
        .rev()
        .map(|second| (172, second))
        .chain([(192, 168)])
        .filter_map(|(first, second)| Ipv4Net::new(Ipv4Addr::new(first, second, 0, 0), 16));
    let is_free = |candidate: &Ipv4Net| !taken.iter().any(|net| net.overlaps(*candidate));
    let usable = (1..=29).contains(&wanted.prefix()).then_some(wanted.network());
    usable.into_iter().chain(others).find(is_free).ok_or(Error::NoFreeSubnet { wanted })
}

fn gateway(subnet: Ipv4Net) -> Ipv4Net {
    let first = Ipv4Addr::from(u32::from(subnet.address()) + 1);
    Ipv4Net::new(first, subnet.prefix()).expect("the length comes from a valid range")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &str, taken: &str, expected: &str) {
        let taken: Vec<Ipv4Net> = taken.split_whitespace().map(|net| net.parse().unwrap()).collect();

        let chosen = choose(wanted.parse().unwrap(), &taken).map(|net| net.to_string());

        assert_eq!(chosen.unwrap_or_else(|_| "none".into()), expected, "{wanted} beside {taken:?}");
    }

    #[test]
    fn free_range_is_chosen() {
        check("172.31.0.0/16", "", "172.31.0.0/16");
        check("172.31.7.0/24", "172.31.0.0/24", "172.31.7.0/24");
        check("172.31.0.0/16", "172.31.4.0/24", "172.30.0.0/16");
        check("172.31.0.0/16", "172.16.0.0/12", "192.168.0.0/16");
        check("172.31.0.0/16", "172.16.0.0/12 192.168.1.7/32", "none");
        check("10.0.0.0/31", "", "172.31.0.0/16");
        check("0.0.0.0/0", "", "172.31.0.0/16");
    }

    #[test]
    fn gateway_is_the_first_address() {
        assert_eq!(gateway("172.31.0.0/16".parse().unwrap()).to_string(), "172.31.0.1/16");
    }
}
