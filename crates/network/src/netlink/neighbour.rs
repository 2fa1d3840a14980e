//! The entries that stand for a remote endpoint: who has its address, and which node its frames go to.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::reader::{Attributes, address, address_v4, u16_at, u32_at};
use super::route::list_request;
use super::socket::Socket;
use crate::{Error, Mac};

const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
const NUD_REACHABLE: u16 = 0x02;

/// Says which hardware address an address has, so that the device answers for it.
pub(crate) fn neighbour(link: u32, address: Ipv4Addr, mac: Mac) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = link;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    message
}

/// Says which node frames for a hardware address go to, in the VXLAN device and in the bridge it is a port of.
///
/// Both entries are made by one request. The state is the only one that both take as "stays, and is not local".
pub(crate) fn forwarding(link: u32, mac: Mac, node: IpAddr) -> NeighbourMessage {
    let mut message = forwarding_key(link, mac);
    let node = match node {
        IpAddr::V4(node) => NeighbourAddress::Inet(node),
        IpAddr::V6(node) => NeighbourAddress::Inet6(node),
    };
    message.attributes.push(NeighbourAttribute::Destination(node));
    message
}

/// Names the forwarding entries of a hardware address in order to remove them.
pub(crate) fn forwarding_key(link: u32, mac: Mac) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = link;
    message.header.state = NeighbourState::Other(NUD_NOARP | NUD_REACHABLE);
    message.header.flags = NeighbourFlags::Own | NeighbourFlags::Controller;
    message.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.to_vec())];
    message
}

/// Lists the permanent neighbours of a link.
pub(crate) fn neighbours(socket: &Socket, link: u32) -> Result<Vec<(Ipv4Addr, Mac)>, Error> {
    let mut found = Vec::new();
    let mut question = NeighbourMessage::default();
    question.header.family = AddressFamily::Inet;
    list(socket, question, |entry| {
        if entry.link == link && entry.state & NUD_PERMANENT != 0 {
            found.extend(entry.destination.and_then(address_v4).zip(entry.mac));
        }
    })?;
    Ok(found)
}

/// Lists which node each hardware address is at, as the VXLAN device knows it.
pub(crate) fn forwardings(socket: &Socket, link: u32) -> Result<Vec<(Mac, IpAddr)>, Error> {
    let mut found = Vec::new();
    let mut question = NeighbourMessage::default();
    question.header.family = AddressFamily::Bridge;
    list(socket, question, |entry| {
        if entry.link == link {
            found.extend(entry.mac.zip(entry.destination.and_then(address)));
        }
    })?;
    Ok(found)
}

struct Entry<'a> {
    link: u32,
    state: u16,
    destination: Option<&'a [u8]>,
    mac: Option<Mac>,
}

fn list(socket: &Socket, question: NeighbourMessage, mut entry: impl FnMut(Entry<'_>)) -> Result<(), Error> {
    const FIXED_BYTES: usize = 12;
    const NDA_DST: u16 = 1;
    const NDA_LLADDR: u16 = 2;
    let request = list_request(RouteNetlinkMessage::GetNeighbour(question));
    let listed = socket.list(request, |_, payload| {
        let (Some(link), Some(state)) = (u32_at(payload, 4), u16_at(payload, 8)) else { return };
        let field = |wanted| {
            Attributes::after(FIXED_BYTES, payload).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
        };
        let mac = field(NDA_LLADDR).and_then(|mac| mac.try_into().ok());
        entry(Entry { link, state, destination: field(NDA_DST), mac });
    });
    listed.map_err(Error::kernel("list the neighbours"))
}
