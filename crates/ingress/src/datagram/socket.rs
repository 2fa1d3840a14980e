//! A UDP socket that takes and gives many datagrams per system call.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The kernel joins datagrams of one flow up to this size.
const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    /// One set of buffers per worker thread. The kernel gives memory to the pages that are written.
    static BUFFERS: RefCell<Vec<Box<[u8]>>> =
        RefCell::new((0..BATCH_SIZE).map(|_| vec![0; BUFFER_BYTES].into_boxed_slice()).collect());
}

/// Is a socket with what is known of its kernel's abilities.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    abilities: Arc<UdpSocketState>,
}

/// Is datagrams of one sender: of `stride` bytes each, but for the last, which may be shorter.
#[derive(Clone, Copy)]
pub(crate) struct Received<'b> {
    pub(crate) from: SocketAddr,
    /// The address of this host that they were sent to.
    pub(crate) to: Option<IpAddr>,
    pub(crate) bytes: &'b [u8],
    pub(crate) stride: usize,
}

/// Finds out what the kernel can do; one answer serves many sockets.
pub(crate) fn abilities() -> io::Result<Arc<UdpSocketState>> {
    // On a socket of its own, as asking also sets options that forbid fragments.
    let asked = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    Ok(Arc::new(UdpSocketState::new(UdpSockRef::from(&asked))?))
}

impl Datagrams {
    /// Takes a socket over, inside the runtime that will drive it.
    pub(crate) fn new(socket: std::net::UdpSocket, abilities: Arc<UdpSocketState>) -> io::Result<Datagrams> {
        socket.set_nonblocking(true)?;
        // Without it each datagram comes alone.
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
        Ok(Datagrams { socket: UdpSocket::from_std(socket)?, abilities })
    }

    /// Makes the socket tell to which of this host's addresses datagrams came.
    pub(crate) fn tell_destinations(&self) -> io::Result<()> {
        match self.socket.local_addr()? {
            SocketAddr::V4(_) => setsockopt(&self.socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&self.socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        Ok(())
    }

    /// Waits for datagrams and hands each sender's to `take`.
    pub(crate) async fn receive(&self, mut take: impl FnMut(Received<'_>)) -> io::Result<()> {
        // A refusal that the network reported is an error alone, without anything to read.
        let ready = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
        // One at a time: the runtime forgets what was ready for one interest only.
        let interest = if ready.is_readable() { Interest::READABLE } else { Interest::ERROR };
        BUFFERS.with_borrow_mut(|buffers| {
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let mut slices = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer));
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| slices.next().unwrap_or(IoSliceMut::new(&mut [])));
            let count = self.socket.try_io(interest, || {
                self.abilities.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas)
            });
            let count = match count {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                other => other?,
            };
            for (meta, buffer) in metas.iter().zip(buffers.iter()).take(count) {
                let bytes = &buffer[..meta.len];
                take(Received { from: meta.addr, to: meta.dst_ip, bytes, stride: meta.stride.max(1) });
            }
            Ok(())
        })
    }

    /// Sends datagrams of `stride` bytes each from an address of this host; what the socket has no room for is
    /// dropped, as on any network.
    pub(crate) fn send(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        bytes: &[u8],
        stride: usize,
    ) -> io::Result<()> {
        if bytes.len() > stride {
            let at_once = self.abilities.max_gso_segments().saturating_mul(stride);
            if at_once >= bytes.len() && self.send_once(to, from, bytes, Some(stride)).is_ok() {
                return Ok(());
            }
            // Refused where a datagram is larger than the way's unit, which alone may be fragmented.
            return bytes.chunks(stride).try_for_each(|one| self.send_once(to, from, one, None));
        }
        self.send_once(to, from, bytes, None)
    }

    fn send_once(
        &self,
        destination: SocketAddr,
        src_ip: Option<IpAddr>,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> io::Result<()> {
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        match self.abilities.try_send(UdpSockRef::from(&self.socket), &transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }
}
