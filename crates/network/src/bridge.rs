//! The node's own bridge `drover0`: finding a free range for it, and making it.

use std::net::{IpAddr, Ipv4Addr};

use crate::namespace::set_option;
use crate::netlink::link::{self, Link};
use crate::netlink::route::{LinkAddress, addresses, destinations};
use crate::netlink::{Batch, Socket};
use crate::{Error, Ipv4Net, mac_of};

/// The bridge's name in each host.
pub(crate) const NAME: &str = "drover0";

/// Finds the link that has the node's address.
pub(crate) fn underlay_link(
    links: &[Link],
    addresses: &[LinkAddress],
    address: IpAddr,
) -> Result<Link, Error> {
    let owner = addresses.iter().find(|found| found.address == address);
    let found = owner.and_then(|owner| links.iter().find(|link| link.index == owner.link));
    found.cloned().ok_or(Error::NoUnderlay { address })
}

/// Makes the bridge, or takes over the one that is there, and returns its index and range.
pub(crate) fn ensure(socket: &Socket, wanted: Ipv4Net, mtu: u32) -> Result<(u32, Ipv4Net), Error> {
    let links = link::links(socket)?;
    let present = link::named(&links, NAME).map(|link| link.index);
    let all = addresses(socket)?;
    let current = all.iter().find(|found| Some(found.link) == present).and_then(|found| found.v4());
    let net = match current {
        Some(net) => net,
        None => gateway(choose(wanted, &taken(socket, &all)?)?),
    };
    let mut batch = Batch::default();
    if present.is_none() {
        batch.add_link("make the bridge", link::bridge(NAME, mtu, mac_of(net.address())));
        batch.send(socket, NAME)?;
        batch = Batch::default();
    }
    let links = link::links(socket)?;
    let gone = || Error::kernel(format!("find {NAME}"))(std::io::ErrorKind::NotFound.into());
    let index = link::named(&links, NAME).ok_or_else(gone)?.index;
    batch.add_address(index, net);
    batch.set_link("bring up the bridge", link::up(index));
    batch.send(socket, NAME)?;
    set_kernel_options()?;
    Ok((index, net.network()))
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
fn set_kernel_options() -> Result<(), Error> {
    set_option("net/ipv4/ip_forward", "1")?;
    set_option("net/ipv4/conf/drover0/route_localnet", "1")
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
