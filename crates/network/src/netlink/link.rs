//! The links we make: bridges, VXLAN devices and veth pairs whose far end is born in another namespace.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVxlan};

use super::reader::{Attributes, address, text, u32_at};
use super::route::{get_request, list_request};
use super::socket::Socket;
use crate::{Error, Mac};

/// Is a link found in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) mac: Option<Mac>,
    pub(crate) vxlan: Option<Identity>,
}

/// Is what makes a VXLAN device that device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) vni: u32,
    pub(crate) local: IpAddr,
    pub(crate) port: u16,
}

/// Lists the links of the socket's namespace.
pub(crate) fn links(socket: &Socket) -> Result<Vec<Link>, Error> {
    const FIXED_BYTES: usize = 16;
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_LINKINFO: u16 = 18;
    let mut found = Vec::new();
    let request = list_request(RouteNetlinkMessage::GetLink(LinkMessage::default()));
    let listed = socket.list(request, |_, payload| {
        let Some(index) = u32_at(payload, 4) else { return };
        let mut link = Link { index, name: String::new(), mtu: 0, mac: None, vxlan: None };
        for (kind, value) in Attributes::after(FIXED_BYTES, payload) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_MTU => link.mtu = u32_at(value, 0).unwrap_or(0),
                IFLA_ADDRESS => link.mac = value.try_into().ok(),
                IFLA_LINKINFO => link.vxlan = vxlan_identity(value),
                _ => {}
            }
        }
        found.push(link);
    });
    listed.map_err(Error::kernel("list the links"))?;
    Ok(found)
}

/// Waits until a bridge or its port passes frames, which it does a moment after the far end came up.
///
/// A frame sent before would be lost, and the sender's next attempt is a second away. Recent kernels settle the state
/// when they are asked; elsewhere the work is queued already and done within milliseconds.
pub(crate) fn await_up(socket: &Socket, name: &str) -> Result<(), Error> {
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(1);
    let end = Instant::now() + PATIENCE;
    while !is_up(socket, name)? {
        if Instant::now() > end {
            return Err(Error::kernel(format!("wait until {name} is up"))(
                std::io::ErrorKind::TimedOut.into(),
            ));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn is_up(socket: &Socket, name: &str) -> Result<bool, Error> {
    const FIXED_BYTES: usize = 16;
    const IFLA_OPERSTATE: u16 = 16;
    const IF_OPER_UP: u8 = 6;
    let mut is_up = false;
    let request = get_request(RouteNetlinkMessage::GetLink(by_name(name)));
    let asked = socket.list(request, |_, payload| {
        let state = Attributes::after(FIXED_BYTES, payload).find(|(kind, _)| *kind == IFLA_OPERSTATE);
        is_up = state.is_some_and(|(_, value)| value == [IF_OPER_UP]);
    });
    asked.map_err(Error::kernel(format!("ask for the state of {name}")))?;
    Ok(is_up)
}

/// Reads the identity out of a link's description, if that is of a VXLAN device.
fn vxlan_identity(description: &[u8]) -> Option<Identity> {
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const IFLA_VXLAN_ID: u16 = 1;
    const IFLA_VXLAN_LOCAL: u16 = 4;
    const IFLA_VXLAN_PORT: u16 = 15;
    const IFLA_VXLAN_LOCAL6: u16 = 17;
    let field =
        |bytes, wanted| Attributes::after(0, bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    if text(field(description, IFLA_INFO_KIND)?) != "vxlan" {
        return None;
    }
    let data = field(description, IFLA_INFO_DATA)?;
    let local = field(data, IFLA_VXLAN_LOCAL).or_else(|| field(data, IFLA_VXLAN_LOCAL6))?;
    let port = <[u8; 2]>::try_from(field(data, IFLA_VXLAN_PORT)?).ok()?;
    Some(Identity {
        vni: u32_at(field(data, IFLA_VXLAN_ID)?, 0)?,
        local: address(local)?,
        port: u16::from_be_bytes(port),
    })
}

/// Finds a link by name.
pub(crate) fn named<'a>(links: &'a [Link], name: &str) -> Option<&'a Link> {
    links.iter().find(|link| link.name == name)
}

/// Describes a bridge that is up.
pub(crate) fn bridge(name: &str, mtu: u32, mac: Mac) -> LinkMessage {
    LinkBridge::new(name).mtu(mtu).address(mac.to_vec()).up().build()
}

/// Is a VXLAN device that knows its peers from entries alone.
pub(crate) struct Vxlan<'a> {
    pub(crate) name: &'a str,
    pub(crate) vni: u32,
    pub(crate) local: IpAddr,
    pub(crate) port: u16,
    pub(crate) mtu: u32,
    /// The namespace the device is born in; its UDP socket stays in the namespace of the request.
    pub(crate) namespace: BorrowedFd<'a>,
}

impl Vxlan<'_> {
    pub(crate) fn message(&self) -> LinkMessage {
        let builder = LinkVxlan::new(self.name, self.vni);
        let builder = match self.local {
            // The frames inside carry checksums of their own.
            IpAddr::V4(address) => builder.local(address).udp_csum(false),
            // IPv6 without a checksum is refused by receivers, so it is kept there.
            IpAddr::V6(address) => builder.local6(address),
        };
        builder
            .port(self.port)
            .learning(false)
            .proxy(true)
            .mtu(self.mtu)
            .setns_by_fd(self.namespace.as_raw_fd())
            .build()
    }
}

/// Is a veth pair: one end on a bridge, the other inside a container.
pub(crate) struct Veth<'a> {
    pub(crate) name: &'a str,
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    pub(crate) inside_name: &'a str,
    pub(crate) inside_mac: Mac,
    pub(crate) inside: BorrowedFd<'a>,
}

impl Veth<'_> {
    pub(crate) fn message(&self) -> LinkMessage {
        let inside = LinkMessageBuilder::<LinkUnspec>::new()
            .name(self.inside_name)
            .address(self.inside_mac.to_vec())
            .mtu(self.mtu)
            .setns_by_fd(self.inside.as_raw_fd())
            .build();
        LinkVeth::new(self.name, self.inside_name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inside)))
            .mtu(self.mtu)
            .controller(self.bridge)
            .up()
            .build()
    }
}

/// Describes a bridge port that may not talk to other such ports.
pub(crate) fn isolated_port(name: &str) -> LinkMessage {
    LinkBridgePort::new(0).name(name).isolated(true).build()
}

/// Describes a bridge port whose frames may go back to where they came from.
pub(crate) fn hairpin_port(name: &str) -> LinkMessage {
    LinkBridgePort::new(0).name(name).hairpin(true).build()
}

/// Describes a bridge port that is up and whose senders are not learnt.
pub(crate) fn static_port(name: &str, bridge: u32) -> [LinkMessage; 2] {
    let join = LinkMessageBuilder::<LinkUnspec>::new().name(name).controller(bridge).up().build();
    [join, LinkBridgePort::new(0).name(name).learning(false).build()]
}

/// Names a link in order to remove it.
pub(crate) fn by_name(name: &str) -> LinkMessage {
    LinkUnspec::new_with_name(name).build()
}

/// Describes a link that is up.
pub(crate) fn up(index: u32) -> LinkMessage {
    LinkUnspec::new_with_index(index).up().build()
}

/// Describes a link's MTU.
pub(crate) fn with_mtu(index: u32, mtu: u32) -> LinkMessage {
    LinkUnspec::new_with_index(index).mtu(mtu).build()
}

/// Describes a link's hardware address.
pub(crate) fn with_mac(index: u32, mac: Mac) -> LinkMessage {
    LinkUnspec::new_with_index(index).address(mac.to_vec()).build()
}
