//! A connection over which requests come and answers go.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::kernel;
use crate::talk::{Message, Request};
use crate::viewer::is_momentary;

/// Nobody asks for anything longer; it would be kept in memory until its end.
const REQUEST_BYTES_MAX: usize = 4 << 20;
const READ_BYTES: usize = 4096;

/// Whoever asks something of the shim.
pub(crate) struct Client {
    stream: UnixStream,
    /// The beginning of a request whose end has not come yet.
    partial: Vec<u8>,
    /// The other ends of streams that came with requests.
    passed: VecDeque<OwnedFd>,
    /// What the kernel had no room for.
    outbox: Vec<u8>,
    pub watches_log: bool,
    /// The log grew while the outbox was full.
    owes_growth: bool,
    pub is_gone: bool,
}

impl Client {
    pub(crate) fn new(stream: UnixStream) -> io::Result<Client> {
        stream.set_nonblocking(true)?;
        Ok(Client {
            stream,
            partial: Vec::new(),
            passed: VecDeque::new(),
            outbox: Vec::new(),
            watches_log: false,
            owes_growth: false,
            is_gone: false,
        })
    }

    pub(crate) fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        flags
    }

    /// Queues a message; a client that does not read must not stop the container.
    pub(crate) fn tell(&mut self, message: &Message) {
        if serde_json::to_writer(&mut self.outbox, message).is_err() {
            self.is_gone = true;
        }
        self.outbox.push(b'\n');
        self.push();
    }

    /// Tells that the log has grown; once is enough for one who is slow to hear it.
    pub(crate) fn tell_growth(&mut self) {
        if self.outbox.is_empty() {
            self.tell(&Message::LogGrew);
        } else {
            self.owes_growth = true;
        }
    }

    /// Sends what is queued as far as there is room.
    pub(crate) fn push(&mut self) {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(sent) => drop(self.outbox.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_momentary(&error) => return,
                Err(_) => return self.is_gone = true,
            }
        }
        self.outbox = Vec::new();
        if std::mem::take(&mut self.owes_growth) {
            self.tell(&Message::LogGrew);
        }
    }

    /// Reads what has come; returns the requests that are whole.
    pub(crate) fn hear(&mut self) -> Vec<Result<Request, serde_json::Error>> {
        while !self.is_gone {
            match self.receive() {
                Ok(0) => self.is_gone = true,
                Ok(_) if self.partial.len() > REQUEST_BYTES_MAX => self.is_gone = true,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => self.is_gone = true,
            }
        }
        let mut requests = Vec::new();
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            requests.push(serde_json::from_slice(&line));
        }
        self.partial.shrink_to_fit();
        requests
    }

    /// Takes the stream that came with a request.
    pub(crate) fn take_passed(&mut self) -> Option<UnixStream> {
        self.passed.pop_front().map(UnixStream::from)
    }

    fn receive(&mut self) -> nix::Result<usize> {
        let mut bytes = [0u8; READ_BYTES];
        let mut space = cmsg_space!([RawFd; 4]);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                // SAFETY: the kernel has just made these descriptors for us.
                self.passed.extend(fds.into_iter().map(|fd| unsafe { kernel::inherited(fd) }));
            }
        }
        let length = message.bytes;
        self.partial.extend_from_slice(&bytes[..length]);
        Ok(length)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
