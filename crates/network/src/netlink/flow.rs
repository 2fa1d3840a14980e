//! The flows that the kernel keeps track of, so that each goes on to where its first packet went.

use std::io;
use std::net::Ipv4Addr;

use super::reader::{Attributes, address_v4};
use super::socket::Socket;
use crate::Error;

const NFNL_SUBSYS_CTNETLINK: u16 = 1;
const GET: u16 = NFNL_SUBSYS_CTNETLINK << 8 | 1;
const DELETE: u16 = NFNL_SUBSYS_CTNETLINK << 8 | 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLA_F_NESTED: u16 = 0x8000;
const CTA_TUPLE_ORIGINAL: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const HEADER_BYTES: usize = 16;
/// Family, version and number of a resource.
const FIXED_BYTES: usize = 4;
/// Flows per system call: their acknowledgements must fit the socket's buffer even if it cannot be enlarged.
const FLOWS_PER_SEND: usize = 128;

/// Is a flow over IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The transport protocol's number.
    pub(crate) protocol: u8,
    /// Where whoever began it sent it.
    pub(crate) to: Ipv4Addr,
    /// Where it went, and answers come from.
    pub(crate) answered_by: Ipv4Addr,
    /// What the kernel knows it by, as the kernel writes it.
    key: Vec<u8>,
}

/// Lists the flows of the socket's namespace.
pub(crate) fn flows(socket: &Socket) -> Result<Vec<Flow>, Error> {
    let mut found = Vec::new();
    let listed =
        socket.list(|number| request(GET, NLM_F_DUMP, number, &[]), |_, payload| found.extend(flow(payload)));
    listed.map_err(Error::kernel("list the flows of a container"))?;
    Ok(found)
}

/// Forgets flows: their next packets begin new ones. Those that ended meanwhile are forgotten already.
pub(crate) fn forget(socket: &Socket, flows: &[Flow]) -> Result<(), Error> {
    let mut failure = None;
    for flows in flows.chunks(FLOWS_PER_SEND) {
        let mut open = flows.len();
        let numbered = |first: u32| {
            let flows = flows.iter().zip(first..);
            flows.flat_map(|(flow, number)| request(DELETE, NLM_F_ACK, number, &flow.key)).collect()
        };
        let sent = socket.exchange(flows.len(), numbered, |_, error: Option<io::Error>| {
            if let Some(error) = error.filter(|error| error.raw_os_error() != Some(libc::ENOENT)) {
                failure = Some(error);
            }
            open -= 1;
            open == 0
        });
        sent.map_err(Error::kernel("forget flows of a container"))?;
    }
    failure.map_or(Ok(()), |error| Err(Error::kernel("forget flows of a container")(error)))
}

fn request(kind: u16, flags: u16, number: u32, key: &[u8]) -> Vec<u8> {
    let mut attributes = Vec::new();
    if !key.is_empty() {
        attributes.extend(((key.len() + 4) as u16).to_ne_bytes());
        attributes.extend((CTA_TUPLE_ORIGINAL | NLA_F_NESTED).to_ne_bytes());
        attributes.extend(key);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    }
    let length = HEADER_BYTES + FIXED_BYTES + attributes.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([libc::AF_INET as u8, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

/// Reads a flow; nothing if it is not over IPv4.
fn flow(payload: &[u8]) -> Option<Flow> {
    const CTA_TUPLE_PROTO: u16 = 2;
    const CTA_PROTO_NUM: u16 = 1;
    let key = field(FIXED_BYTES, payload, CTA_TUPLE_ORIGINAL)?;
    let reply = field(FIXED_BYTES, payload, CTA_TUPLE_REPLY)?;
    let protocol = field(0, field(0, key, CTA_TUPLE_PROTO)?, CTA_PROTO_NUM)?;
    Some(Flow {
        protocol: *protocol.first()?,
        to: addresses(key)?.1,
        answered_by: addresses(reply)?.0,
        key: key.to_vec(),
    })
}

/// Returns the source and the destination of one direction.
fn addresses(direction: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    const CTA_TUPLE_IP: u16 = 1;
    const CTA_IP_V4_SRC: u16 = 1;
    const CTA_IP_V4_DST: u16 = 2;
    let addresses = field(0, direction, CTA_TUPLE_IP)?;
    let address = |kind| address_v4(field(0, addresses, kind)?);
    Some((address(CTA_IP_V4_SRC)?, address(CTA_IP_V4_DST)?))
}

fn field(fixed_bytes: usize, bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes::after(fixed_bytes, bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}
