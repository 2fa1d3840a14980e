//! A connection that carries the streams of a process to a user and back.
//!
//! Without a terminal each piece of output has Docker's header of eight bytes: the stream's number, three zeros, the
//! length. With one there is a single stream of bare bytes. What the user writes is standard input, bare too.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::poll::PollFlags;
use nix::sys::socket::{setsockopt, sockopt};

use crate::{LogStream, Streams};

/// How much output waits in the kernel for a user who does not read; after that the process waits.
const BUFFER_BYTES: usize = 1 << 20;
/// Room for all that is left when the process has ended: what its pipes hold, and one piece taken out of each.
const LAST_BUFFER_BYTES: usize = 16 << 20;
/// Pieces that are far smaller than this weigh more in the kernel than they hold.
const LAST_PIECE_BYTES: usize = 128 << 10;

/// One user's connection.
pub(crate) struct Viewer {
    stream: UnixStream,
    streams: Streams,
    is_framed: bool,
    /// The end of a piece that the kernel had no room for.
    pending: Vec<u8>,
    /// The user will write nothing more.
    has_ended_input: bool,
    /// The user reads nothing more; what was written before is still there.
    has_hung_up: bool,
    is_broken: bool,
}

impl Viewer {
    pub(crate) fn new(stream: UnixStream, streams: Streams, is_framed: bool) -> io::Result<Viewer> {
        stream.set_nonblocking(true)?;
        buffer(&stream, BUFFER_BYTES);
        Ok(Viewer {
            stream,
            streams,
            is_framed,
            pending: Vec::new(),
            has_ended_input: false,
            has_hung_up: false,
            is_broken: false,
        })
    }

    pub(crate) fn writes_input(&self) -> bool {
        self.streams.stdin
    }

    pub(crate) fn reads(&self, kind: LogStream) -> bool {
        let wanted = match kind {
            LogStream::Stdout => self.streams.stdout,
            LogStream::Stderr => self.streams.stderr,
        };
        wanted && !self.has_hung_up
    }

    /// Returns whether the user will write no more.
    pub(crate) fn has_ended_input(&self) -> bool {
        self.has_ended_input || self.is_broken
    }

    /// Returns whether the user is gone, and all that came from there is read.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_broken || self.has_hung_up && self.has_ended_input
    }

    /// Returns whether no more can be shown before the user reads.
    pub(crate) fn is_full(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Returns what to wait for, besides that the user hangs up; none if there is nothing to wait for.
    pub(crate) fn interest(&self, may_write: bool) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, !self.has_ended_input && (may_write || !self.streams.stdin));
        flags.set(PollFlags::POLLOUT, self.is_full());
        // It would be told of the hang-up again and again.
        (!self.has_hung_up || !flags.is_empty()).then_some(flags)
    }

    /// Takes note that the user reads nothing more.
    pub(crate) fn hang_up(&mut self) {
        self.has_hung_up = true;
        self.pending = Vec::new();
    }

    /// Sends a piece of output, after all that is pending.
    pub(crate) fn show(&mut self, kind: LogStream, bytes: &[u8]) {
        let number = match kind {
            LogStream::Stdout => 1,
            LogStream::Stderr => 2,
        };
        let length = u32::try_from(bytes.len()).expect("pieces are as long as the buffer they are read into");
        let mut header = [number, 0, 0, 0, 0, 0, 0, 0];
        header[4..].copy_from_slice(&length.to_be_bytes());
        let header = if self.is_framed { &header[..] } else { &[] };
        if self.is_full() {
            return self.pending.extend(header.iter().chain(bytes));
        }
        let sent = match self.stream.write_vectored(&[IoSlice::new(header), IoSlice::new(bytes)]) {
            Ok(sent) => sent,
            Err(error) if is_momentary(&error) => 0,
            Err(_) => return self.is_broken = true,
        };
        self.pending.extend(header.iter().chain(bytes).skip(sent));
    }

    /// Sends what is pending as far as there is room.
    pub(crate) fn push(&mut self) {
        while !self.pending.is_empty() {
            let piece = self.pending.len().min(LAST_PIECE_BYTES);
            match self.stream.write(&self.pending[..piece]) {
                Ok(sent) => drop(self.pending.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_momentary(&error) => return,
                Err(_) => return self.is_broken = true,
            }
        }
        self.pending = Vec::new();
    }

    /// Reads what the user has written; none if nothing is there.
    pub(crate) fn hear(&mut self, bytes: &mut [u8]) -> Option<usize> {
        match self.stream.read(bytes) {
            Ok(0) => self.has_ended_input = true,
            Ok(length) => return Some(length),
            Err(error) if is_momentary(&error) => {}
            Err(_) => self.is_broken = true,
        }
        None
    }

    /// Makes room for everything that may still come, so that nobody has to wait for a slow reader.
    pub(crate) fn expect_the_end(&mut self) {
        buffer(&self.stream, LAST_BUFFER_BYTES);
        self.push();
    }
}

impl AsFd for Viewer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Bounds what the kernel keeps for the reader. The kernel doubles the number, for what it needs beside the bytes.
fn buffer(stream: &UnixStream, bytes: usize) {
    let half = bytes / 2;
    if setsockopt(stream, sockopt::SndBufForce, &half).is_err() {
        // Less than wished: the process waits a little earlier.
        let _ = setsockopt(stream, sockopt::SndBuf, &half);
    }
}

pub(crate) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
