//! Opens the listeners of a published port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::Transport;
use crate::port::Key;

/// Connections that wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// A client that vanished without a word is noticed after this long, plus the kernel's probes.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Is what one worker serves of a port.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(std::net::TcpListener),
    Udp(std::net::UdpSocket),
}

impl Listener {
    /// Takes over a socket that listens already.
    pub(crate) fn of(transport: Transport, socket: OwnedFd) -> Listener {
        match transport {
            Transport::Tcp => Listener::Tcp(socket.into()),
            Transport::Udp => Listener::Udp(socket.into()),
        }
    }

    /// Returns another descriptor of the same socket.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        match self {
            Listener::Tcp(listener) => Ok(listener.try_clone()?.into()),
            Listener::Udp(socket) => Ok(socket.try_clone()?.into()),
        }
    }
}

/// Opens `count` listeners that share a port, for all addresses of this host, IPv4 and IPv6.
///
/// The kernel spreads clients over them, so that each worker has its own.
pub(crate) fn listen((port, transport): Key, count: usize) -> io::Result<Vec<Listener>> {
    let (domain, address) = address(port);
    // Listeners that share a port share it with strangers that ask for it too: a plain bind does not.
    let probe = socket(domain, transport)?;
    probe.bind(&address.into())?;
    drop(probe);
    (0..count).map(|_| listener(domain, transport, address)).collect()
}

/// Returns the widest address this host has: without IPv6 in the kernel, IPv4 only.
fn address(port: u16) -> (Domain, SocketAddr) {
    if Socket::new(Domain::IPV6, Type::STREAM, None).is_ok() {
        (Domain::IPV6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
    } else {
        (Domain::IPV4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }
}

fn socket(domain: Domain, transport: Transport) -> io::Result<Socket> {
    let socket = match transport {
        Transport::Tcp => Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?,
        Transport::Udp => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?,
    };
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    if transport == Transport::Tcp {
        // Connections of a former listener may still be ending.
        socket.set_reuse_address(true)?;
    }
    Ok(socket)
}

fn listener(domain: Domain, transport: Transport, address: SocketAddr) -> io::Result<Listener> {
    let socket = socket(domain, transport)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if transport == Transport::Udp {
        socket.bind(&address.into())?;
        return Ok(Listener::Udp(socket.into()));
    }
    // Accepted connections inherit these, which saves a system call each.
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Tcp(socket.into()))
}
