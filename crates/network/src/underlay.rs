//! The link that carries this node's overlays.

use std::net::IpAddr;

use crate::Error;
use crate::diff::Underlay;
use crate::netlink::Socket;
use crate::netlink::link::{Link, links};
use crate::netlink::route::{LinkAddress, addresses};

/// Below this an overlay could not carry what every IPv4 host must take.
const OVERLAY_MTU_MIN: u32 = 576;
/// A loopback underlay has 65536 and more; devices take 16 bits.
const MTU_MAX: u32 = 65_000;

/// Finds the link that has the node's address, and what it means for overlays.
pub(crate) fn find(socket: &Socket, address: IpAddr, port: u16) -> Result<Underlay, Error> {
    let carrier = carrier(&links(socket)?, &addresses(socket)?, address)?;
    let mtu = carrier.mtu.saturating_sub(header_bytes(address));
    if mtu < OVERLAY_MTU_MIN {
        return Err(Error::SmallMtu { link: carrier.index, mtu: carrier.mtu });
    }
    Ok(Underlay { address, port, mtu: mtu.min(MTU_MAX) })
}

fn carrier(links: &[Link], addresses: &[LinkAddress], address: IpAddr) -> Result<Link, Error> {
    let owner = addresses.iter().find(|found| found.address == address);
    let found = owner.and_then(|owner| links.iter().find(|link| link.index == owner.link));
    found.cloned().ok_or(Error::NoUnderlay { address })
}

/// Returns how much of each packet VXLAN takes: Ethernet 14, VXLAN 8, UDP 8, and the IP header.
const fn header_bytes(underlay: IpAddr) -> u32 {
    match underlay {
        IpAddr::V4(_) => 50,
        IpAddr::V6(_) => 70,
    }
}
