//! Ports of this host that lead to one container: their description and their reservation.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use crate::Error;
use crate::nft::Published;

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
    /// The host's address it is reached at; unspecified (`0.0.0.0`) is every one.
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
/// Packets are redirected before they would reach the socket, so nothing ever arrives on it.
#[derive(Debug)]
pub(crate) enum Reservation {
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
        match wanted.protocol {
            Protocol::Tcp => TcpListener::bind(address).map(Reservation::Tcp),
            Protocol::Udp => UdpSocket::bind(address).map(Reservation::Udp),
        }
    }

    fn port(&self) -> io::Result<u16> {
        let address = match self {
            Reservation::Tcp(socket) => socket.local_addr(),
            Reservation::Udp(socket) => socket.local_addr(),
        };
        address.map(|address| address.port())
    }
}
