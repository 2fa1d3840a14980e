//! Ports of this host that lead to one container: their description and their reservation.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use crate::nft::Published;
use crate::{Error, relay};

/// Is a transport protocol a port belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Returns the name users write.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Protocol> {
        [Protocol::Tcp, Protocol::Udp].into_iter().find(|protocol| protocol.name() == name)
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        }
    }
}

/// Is a port of this host that leads to a port of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The host's address it is reached at; unspecified (`0.0.0.0`) is every one, for TCP those of IPv6 too.
    pub host_ip: Ipv4Addr,
    /// The host's port; 0 lets the kernel choose a free one.
    pub published: u16,
    /// The container's port.
    pub target: u16,
    /// The protocol of both.
    pub protocol: Protocol,
}

impl HostPort {
    pub(crate) fn published(&self) -> Published {
        let address = (!self.host_ip.is_unspecified()).then_some(self.host_ip);
        Published { address, protocol: self.protocol, port: self.published }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host_ip, self.published, self.protocol.name())
    }
}

/// How long a port that was given back may look taken: a child process between its fork and its exec holds copies of
/// all descriptors.
const LINGERING: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(2);

/// Holds a host port, so that no process of this host can take it while it is published.
///
/// Packets are redirected before they would reach the socket, so nothing ever arrives on it; but for those over IPv6,
/// which are answered by a relay.
#[derive(Debug)]
pub(crate) struct Reservation {
    held: Held,
    /// The container's port.
    pub(crate) target: u16,
    /// The same port on all IPv6 addresses, if it is published on every address and there are any.
    pub(crate) over_ipv6: Option<TcpListener>,
}

#[derive(Debug)]
enum Held {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Reservation {
    /// Takes a port, or a free one for port 0, in the calling thread's namespace.
    pub(crate) fn take(wanted: &HostPort) -> Result<(Reservation, HostPort), Error> {
        let refused = |source: io::Error| {
            let port = wanted.to_string();
            match source.kind() {
                io::ErrorKind::AddrInUse => Error::PortInUse { port, source },
                _ => Error::PortRefused { port, source },
            }
        };
        let end = Instant::now() + LINGERING;
        let reservation = loop {
            match Reservation::bind(wanted) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < end => {
                    std::thread::sleep(PAUSE);
                }
                taken => break taken.map_err(refused)?,
            }
        };
        let published = reservation.port().map_err(refused)?;
        Ok((reservation, HostPort { published, ..*wanted }))
    }

    fn bind(wanted: &HostPort) -> io::Result<Reservation> {
        let address = SocketAddr::new(IpAddr::V4(wanted.host_ip), wanted.published);
        let held = match wanted.protocol {
            Protocol::Tcp => Held::Tcp(TcpListener::bind(address)?),
            Protocol::Udp => Held::Udp(UdpSocket::bind(address)?),
        };
        let mut reservation = Reservation { held, target: wanted.target, over_ipv6: None };
        if wanted.protocol == Protocol::Tcp && wanted.host_ip.is_unspecified() {
            reservation.over_ipv6 = relay::bind(reservation.port()?)?;
        }
        Ok(reservation)
    }

    fn port(&self) -> io::Result<u16> {
        let address = match &self.held {
            Held::Tcp(socket) => socket.local_addr(),
            Held::Udp(socket) => socket.local_addr(),
        };
        address.map(|address| address.port())
    }
}
