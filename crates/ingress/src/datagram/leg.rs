//! The way from the proxy to the backend of one flow: a socket of its own keeps the client apart from all others.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol, Socket, Type};

use super::socket::{Datagrams, Received};
use crate::backend::Use;
use crate::choose::Tried;

/// Datagrams up to this size are remembered until the backend answers: what fits a usual network's unit, as
/// questions do.
const REMEMBERED_BYTES_MAX: usize = 1500;

/// Is a flow's way to one backend.
pub(crate) struct Leg {
    address: SocketAddr,
    socket: Datagrams,
    pub(crate) counted: Use,
    /// Milliseconds of the port's clock when something was last sent or received.
    seen_ms: AtomicU64,
    unanswered: Mutex<Unanswered>,
}

/// Is what another backend needs to take a flow over.
#[derive(Default, Clone)]
pub(crate) struct Unanswered {
    /// The last datagram that was sent, if nothing came back since.
    pub(crate) datagram: Vec<u8>,
    /// Backends that refused this flow since one last answered.
    pub(crate) tried: Tried,
}

impl Leg {
    pub(crate) fn open(counted: Use, tried: Tried, abilities: Arc<UdpSocketState>) -> io::Result<Leg> {
        let address = counted.backend().address;
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // Connected, so that the kernel lets only this backend answer and tells when it refuses.
        socket.connect(&address.into())?;
        let socket = Datagrams::new(socket.into(), abilities)?;
        let unanswered = Mutex::new(Unanswered { datagram: Vec::new(), tried });
        Ok(Leg { address, socket, counted, seen_ms: AtomicU64::new(0), unanswered })
    }

    pub(crate) fn send(&self, now_ms: u64, bytes: &[u8], stride: usize) -> io::Result<()> {
        self.seen_ms.store(now_ms, Ordering::Relaxed);
        self.with_unanswered(|unanswered| {
            let last = bytes.chunks(stride).next_back().unwrap_or_default();
            unanswered.datagram.clear();
            if last.len() <= REMEMBERED_BYTES_MAX {
                unanswered.datagram.extend_from_slice(last);
            }
        });
        self.counted.count_in(bytes.len());
        self.socket.send(self.address, None, bytes, stride)
    }

    /// Waits for answers of the backend.
    pub(crate) async fn receive(
        &self,
        now_ms: impl Fn() -> u64,
        mut take: impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        self.socket
            .receive(|received| {
                self.seen_ms.store(now_ms(), Ordering::Relaxed);
                self.counted.count_out(received.bytes.len());
                self.counted.answered();
                self.with_unanswered(|unanswered| {
                    unanswered.datagram.clear();
                    unanswered.tried = Tried::default();
                });
                take(received);
            })
            .await
    }

    pub(crate) fn silent_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn unanswered(&self) -> Unanswered {
        self.with_unanswered(|unanswered| unanswered.clone())
    }

    fn with_unanswered<T>(&self, act: impl FnOnce(&mut Unanswered) -> T) -> T {
        act(&mut self.unanswered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
