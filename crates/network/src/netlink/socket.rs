//! One netlink socket: sends many requests in one system call and matches the kernel's answers to them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Mutex;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::reader::Messages;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The kernel answers at once; a silence this long is a bug, and an error is better than a stuck thread.
const ANSWER_SECONDS_MAX: i64 = 20;
/// The kernel fills at most 32 KiB per answer while listing.
const RECEIVE_BYTES: usize = 64 * 1024;
/// Room for the acknowledgements of a large batch, which arrive before the first is read.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// Selects the part of the kernel a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Links, addresses, routes and neighbours.
    Route,
    /// The packet filter.
    Netfilter,
}

/// Is a netlink socket; it stays in the network namespace it was opened in, whoever uses it.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    next_sequence: u32,
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open(protocol: Protocol) -> io::Result<Socket> {
        let protocol = match protocol {
            Protocol::Route => SockProtocol::NetlinkRoute,
            Protocol::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        nix::sys::socket::bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&fd, sockopt::SndBufForce, &SOCKET_BUFFER_BYTES)?;
        setsockopt(&fd, sockopt::RcvBufForce, &SOCKET_BUFFER_BYTES)?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS_MAX))?;
        Ok(Socket { inner: Mutex::new(Inner { fd, next_sequence: 1 }) })
    }

    /// Sends `build`'s bytes, whose requests are numbered from the number it is given, and reads the answers.
    ///
    /// `answered` is told of each answer: the request's position and the error, if any. Reading ends when it says so.
    pub(crate) fn exchange(
        &self,
        requests: usize,
        build: impl FnOnce(u32) -> Vec<u8>,
        mut answered: impl FnMut(usize, Option<io::Error>) -> bool,
    ) -> io::Result<()> {
        let mut inner = self.lock();
        let first = inner.start(requests);
        let bytes = build(first);
        inner.send(&bytes)?;
        let mut buffer = vec![0; RECEIVE_BYTES];
        loop {
            let length = inner.receive(&mut buffer)?;
            for message in Messages::new(&buffer[..length]) {
                // An earlier exchange that ended at its first error may have left answers behind.
                let position = message.sequence.wrapping_sub(first) as usize;
                if message.kind != NLMSG_ERROR || position >= requests {
                    continue;
                }
                if answered(position, message.errno()) {
                    return Ok(());
                }
            }
        }
    }

    /// Asks for a list and hands each entry's body (kind of message, payload) to `entry`.
    pub(crate) fn list(
        &self,
        build: impl FnOnce(u32) -> Vec<u8>,
        mut entry: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        let mut inner = self.lock();
        let sequence = inner.start(1);
        let bytes = build(sequence);
        inner.send(&bytes)?;
        let mut buffer = vec![0; RECEIVE_BYTES];
        loop {
            let length = inner.receive(&mut buffer)?;
            for message in Messages::new(&buffer[..length]) {
                if message.sequence != sequence {
                    continue;
                }
                match message.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return message.errno().map_or(Ok(()), Err),
                    kind => entry(kind, message.payload),
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // The number and the descriptor stay usable whatever a panicking holder was doing.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn start(&mut self, requests: usize) -> u32 {
        let first = self.next_sequence;
        self.next_sequence = first.wrapping_add(requests as u32);
        first
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        send(self.fd.as_raw_fd(), bytes, MsgFlags::empty())?;
        Ok(())
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match recv(self.fd.as_raw_fd(), buffer, MsgFlags::empty()) {
                Ok(length) => return Ok(length),
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer"));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
