//! Batches of changes to links, addresses, routes and neighbours, sent in one system call.

use std::borrow::Cow;
use std::io;
use std::net::Ipv4Addr;

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage,
};
use rtnetlink::packet_route::RouteNetlinkMessage as Message;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::{RouteMessage, RouteScope};
use rtnetlink::{AddressMessageBuilder, RouteMessageBuilder};

use super::reader::{Attributes, address, address_v4, u32_at};
use super::socket::Socket;
use crate::{Error, Ipv4Net};

/// Requests per system call: their acknowledgements must fit the socket's buffer even if it cannot be enlarged.
const REQUESTS_PER_SEND: usize = 128;

/// Says which refusal of a step means that its goal is reached anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fine {
    /// Any refusal is a failure.
    Never,
    /// The thing to be made is there.
    IfThere,
    /// The thing to be removed is gone.
    IfGone,
}

impl Fine {
    fn accepts(self, error: &io::Error) -> bool {
        match self {
            Fine::Never => false,
            Fine::IfThere => error.raw_os_error() == Some(libc::EEXIST),
            Fine::IfGone => {
                matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::ESRCH | libc::ENODEV | libc::EADDRNOTAVAIL)
                )
            }
        }
    }
}

struct Step {
    what: Cow<'static, str>,
    flags: u16,
    fine: Fine,
    message: Message,
}

/// Collects changes; the kernel applies them in order and each on its own.
#[derive(Default)]
pub(crate) struct Batch {
    steps: Vec<Step>,
}

impl Batch {
    /// Makes a link.
    pub(crate) fn add_link(&mut self, what: impl Into<Cow<'static, str>>, link: LinkMessage) {
        self.push(what, NLM_F_CREATE | NLM_F_EXCL, Fine::Never, Message::NewLink(link));
    }

    /// Changes a link that is there.
    pub(crate) fn set_link(&mut self, what: impl Into<Cow<'static, str>>, link: LinkMessage) {
        self.push(what, 0, Fine::Never, Message::NewLink(link));
    }

    /// Removes a link.
    pub(crate) fn remove_link(&mut self, what: impl Into<Cow<'static, str>>, link: LinkMessage) {
        self.push(what, 0, Fine::IfGone, Message::DelLink(link));
    }

    /// Gives a link an address.
    pub(crate) fn add_address(&mut self, link: u32, net: Ipv4Net) {
        let message = address_message(link, net);
        self.push(
            format!("add the address {net}"),
            NLM_F_CREATE,
            Fine::IfThere,
            Message::NewAddress(message),
        );
    }

    /// Gives a link an address whose range is not reached over it.
    pub(crate) fn add_address_without_route(&mut self, link: u32, net: Ipv4Net) {
        let mut message = address_message(link, net);
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
        let what = format!("add the address {net}");
        self.push(what, NLM_F_CREATE, Fine::IfThere, Message::NewAddress(message));
    }

    /// Takes an address from a link.
    pub(crate) fn remove_address(&mut self, link: u32, net: Ipv4Net) {
        let message = address_message(link, net);
        self.push(format!("remove the address {net}"), 0, Fine::IfGone, Message::DelAddress(message));
    }

    /// Routes everything through a gateway.
    pub(crate) fn add_default_route(&mut self, gateway: Ipv4Addr) {
        let message = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
        self.push(
            "add the default route",
            NLM_F_CREATE | NLM_F_REPLACE,
            Fine::Never,
            Message::NewRoute(message),
        );
    }

    /// Says that a range is reached over a link without a gateway.
    pub(crate) fn add_link_route(&mut self, link: u32, net: Ipv4Net) {
        let message = link_route(link, net);
        self.push(
            format!("add a route to {net}"),
            NLM_F_CREATE | NLM_F_REPLACE,
            Fine::Never,
            Message::NewRoute(message),
        );
    }

    /// Adds a neighbour or forwarding entry, replacing one with the same key.
    pub(crate) fn put_neighbour(&mut self, what: &'static str, entry: NeighbourMessage) {
        self.push(what, NLM_F_CREATE | NLM_F_REPLACE, Fine::Never, Message::NewNeighbour(entry));
    }

    /// Removes a neighbour or forwarding entry.
    pub(crate) fn remove_neighbour(&mut self, what: &'static str, entry: NeighbourMessage) {
        self.push(what, 0, Fine::IfGone, Message::DelNeighbour(entry));
    }

    fn push(&mut self, what: impl Into<Cow<'static, str>>, flags: u16, fine: Fine, message: Message) {
        self.steps.push(Step { what: what.into(), flags, fine, message });
    }

    /// Sends everything; the first failure is returned after all steps were tried.
    pub(crate) fn send(self, socket: &Socket, whom: &str) -> Result<(), Error> {
        let mut first_failure = None;
        for steps in self.steps.chunks(REQUESTS_PER_SEND) {
            let mut open = steps.len();
            let result = socket.exchange(
                steps.len(),
                |first| steps.iter().zip(first..).flat_map(|(step, number)| step.encode(number)).collect(),
                |position, error| {
                    let step = &steps[position];
                    if let Some(source) = error.filter(|error| !step.fine.accepts(error)) {
                        first_failure.get_or_insert((step.what.to_string(), source));
                    }
                    open -= 1;
                    open == 0
                },
            );
            if let Err(source) = result {
                return Err(Error::Kernel { action: format!("change the links of {whom}"), source });
            }
        }
        match first_failure {
            None => Ok(()),
            Some((what, source)) => Err(Error::Kernel { action: format!("{what} for {whom}"), source }),
        }
    }
}

impl Step {
    fn encode(&self, number: u32) -> Vec<u8> {
        encode(self.message.clone(), NLM_F_REQUEST | NLM_F_ACK | self.flags, number)
    }
}

/// Encodes one request.
fn encode(message: Message, flags: u16, number: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = number;
    let mut message = NetlinkMessage::new(header, message.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
    message.serialize(&mut bytes);
    bytes
}

/// Encodes a request for a list.
pub(crate) fn list_request(message: Message) -> impl FnOnce(u32) -> Vec<u8> {
    move |number| encode(message, NLM_F_REQUEST | NLM_F_DUMP, number)
}

/// Encodes a request for one thing, whose description comes before the acknowledgement.
pub(crate) fn get_request(message: Message) -> impl FnOnce(u32) -> Vec<u8> {
    move |number| encode(message, NLM_F_REQUEST | NLM_F_ACK, number)
}

fn address_message(link: u32, net: Ipv4Net) -> AddressMessage {
    AddressMessageBuilder::<Ipv4Addr>::new().index(link).address(net.address(), net.prefix()).build()
}

fn link_route(link: u32, net: Ipv4Net) -> RouteMessage {
    let net = net.network();
    RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(net.address(), net.prefix())
        .output_interface(link)
        .scope(RouteScope::Link)
        .build()
}

/// Is an address a link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkAddress {
    pub(crate) link: u32,
    pub(crate) address: std::net::IpAddr,
    pub(crate) prefix: u8,
}

impl LinkAddress {
    pub(crate) fn v4(self) -> Option<Ipv4Net> {
        match self.address {
            std::net::IpAddr::V4(address) => Ipv4Net::new(address, self.prefix),
            std::net::IpAddr::V6(_) => None,
        }
    }
}

/// Lists the addresses of every link in the socket's namespace.
pub(crate) fn addresses(socket: &Socket) -> Result<Vec<LinkAddress>, Error> {
    const FIXED_BYTES: usize = 8;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let mut found = Vec::new();
    let request = list_request(Message::GetAddress(AddressMessage::default()));
    let listed = socket.list(request, |_, payload| {
        let field = |wanted| Attributes::after(FIXED_BYTES, payload).find(|(kind, _)| *kind == wanted);
        let value = field(IFA_LOCAL).or_else(|| field(IFA_ADDRESS)).and_then(|(_, value)| address(value));
        if let (Some(address), Some(&prefix), Some(link)) = (value, payload.get(1), u32_at(payload, 4)) {
            found.push(LinkAddress { link, address, prefix });
        }
    });
    listed.map_err(Error::kernel("list the addresses"))?;
    Ok(found)
}

/// Lists the IPv4 ranges that the socket's namespace has routes to, the default route left out.
pub(crate) fn destinations(socket: &Socket) -> Result<Vec<Ipv4Net>, Error> {
    const FIXED_BYTES: usize = 12;
    const RTA_DST: u16 = 1;
    let mut found = Vec::new();
    let request = list_request(Message::GetRoute(RouteMessageBuilder::<Ipv4Addr>::new().build()));
    let listed = socket.list(request, |_, payload| {
        let destination = Attributes::after(FIXED_BYTES, payload).find(|(kind, _)| *kind == RTA_DST);
        let address = destination.and_then(|(_, value)| address_v4(value));
        found
            .extend(address.zip(payload.get(1)).and_then(|(address, prefix)| Ipv4Net::new(address, *prefix)));
    });
    listed.map_err(Error::kernel("list the routes"))?;
    Ok(found)
}

/// Returns the link that the default route of the socket's namespace leads over, the preferred one of several.
pub(crate) fn default_link(socket: &Socket) -> Result<Option<u32>, Error> {
    const FIXED_BYTES: usize = 12;
    const RTA_OIF: u16 = 4;
    const RTA_PRIORITY: u16 = 6;
    /// The kernel's number of the table that ordinary routes are in.
    const RT_TABLE_MAIN: u8 = 254;
    let mut found: Option<(u32, u32)> = None;
    let request = list_request(Message::GetRoute(RouteMessageBuilder::<Ipv4Addr>::new().build()));
    let listed = socket.list(request, |_, payload| {
        if payload.get(1) != Some(&0) || payload.get(4) != Some(&RT_TABLE_MAIN) {
            return;
        }
        let field = |wanted| {
            let field = Attributes::after(FIXED_BYTES, payload).find(|(kind, _)| *kind == wanted);
            field.and_then(|(_, value)| u32_at(value, 0))
        };
        if let Some(link) = field(RTA_OIF) {
            let candidate = (field(RTA_PRIORITY).unwrap_or(0), link);
            found = Some(found.map_or(candidate, |found| found.min(candidate)));
        }
    });
    listed.map_err(Error::kernel("list the routes"))?;
    Ok(found.map(|(_, link)| link))
}
