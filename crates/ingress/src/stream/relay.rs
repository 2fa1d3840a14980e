//! Carries bytes both ways between a client and a backend until both are done.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::repeat::may_repeat;
use crate::backend::Use;
use crate::chunk::{self, Turn};
use crate::pipe::{self, Filled, Pipe};

/// Says how a relay ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Both sides closed in their own time.
    Closed,
    /// A connection broke; the other side must not take it for a regular end.
    Broken,
    /// The backend broke before its first byte, and the client may be served by another.
    Unanswered(Opening),
}

/// Remembers what the client sent until the backend answers, so that another backend can be given the same.
#[derive(Debug)]
pub(crate) struct Opening {
    sent: Option<Vec<u8>>,
    limit: usize,
    /// The client closed its side while the opening was going on.
    client_closed: bool,
}

impl Opening {
    pub(crate) fn new(limit: usize) -> Opening {
        Opening { sent: Some(Vec::new()), limit, client_closed: false }
    }

    /// Returns the opening of a connection that has been going on.
    pub(crate) fn closed() -> Opening {
        Opening { sent: None, limit: 0, client_closed: false }
    }

    fn note(&mut self, bytes: &[u8]) {
        if let Some(sent) = &mut self.sent {
            if sent.len() + bytes.len() <= self.limit {
                sent.extend_from_slice(bytes);
            } else {
                self.sent = None;
            }
        }
    }

    fn may_repeat(&self) -> bool {
        self.sent.as_deref().is_some_and(may_repeat)
    }
}

/// Is what each side is sent before anything that is read from here on.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// For the backend.
    pub(crate) forth: Vec<u8>,
    /// For the client.
    pub(crate) back: Vec<u8>,
}

/// Is one direction.
#[derive(Default)]
struct Half {
    /// What was read and not yet written, from `written` on.
    pending: Vec<u8>,
    written: usize,
    /// Carries what is long.
    pipe: Option<Pipe>,
    /// What came last filled a chunk, so that more of it is likely.
    is_long: bool,
    is_read: bool,
    is_shut: bool,
}

/// Is what one direction carried.
enum Seen<'b> {
    /// Bytes that were copied.
    Bytes(&'b [u8]),
    /// So many that were not looked at.
    Spliced(usize),
}

impl Seen<'_> {
    fn count(&self) -> usize {
        match self {
            Seen::Bytes(bytes) => bytes.len(),
            Seen::Spliced(bytes) => *bytes,
        }
    }
}

/// Is how the opposite direction stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Open,
    Shut,
}

/// Says which side of a direction failed.
enum Fault {
    Reading,
    Writing,
}

/// Relays until both directions ended; what is held, and then what an earlier backend left unanswered, is sent first.
pub(crate) async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    held: Held,
    opening: Opening,
    counted: &Use,
) -> End {
    let mut pending = held.forth;
    pending.extend_from_slice(opening.sent.as_deref().unwrap_or_default());
    let mut forth = Half { pending, is_read: opening.client_closed, ..Half::default() };
    let mut back = Half { pending: held.back, ..Half::default() };
    let mut opening = Some(opening);
    let result = poll_fn(|context| {
        let first = forth.poll(client, server, context, back.side(), |seen| {
            counted.count_in(seen.count());
            match (seen, &mut opening) {
                (Seen::Bytes(bytes), Some(opening)) => opening.note(bytes),
                // Longer than what is remembered.
                (Seen::Spliced(_), opening) => *opening = None,
                (Seen::Bytes(_), None) => {}
            }
        });
        if let Poll::Ready(Err(fault)) = first {
            return Poll::Ready(Err(matches!(fault, Fault::Writing)));
        }
        let second = back.poll(server, client, context, forth.side(), |seen| {
            counted.count_out(seen.count());
            opening = None;
        });
        if let Poll::Ready(Err(fault)) = second {
            return Poll::Ready(Err(matches!(fault, Fault::Reading)));
        }
        if back.is_read {
            // A regular end is an answer too, and the client has been told.
            opening = None;
        }
        if first.is_ready() && second.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
    match result.await {
        Ok(()) => End::Closed,
        Err(by_server) => match opening.filter(|opening| by_server && opening.may_repeat()) {
            Some(mut opening) => {
                opening.client_closed = forth.is_read;
                End::Unanswered(opening)
            }
            None => End::Broken,
        },
    }
}

impl Half {
    /// Tells the opposite direction how this one stands.
    fn side(&self) -> Other {
        if self.is_shut { Other::Shut } else { Other::Open }
    }

    /// Moves what can be moved at this moment; ready once the end was carried over too, or all has ended with it.
    fn poll(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        context: &mut Context<'_>,
        other: Other,
        mut seen: impl FnMut(Seen<'_>),
    ) -> Poll<Result<(), Fault>> {
        if self.is_shut {
            return Poll::Ready(Ok(()));
        }
        let mut turn = Turn::default();
        loop {
            ready!(self.poll_flush(to, context)).map_err(|_| Fault::Writing)?;
            if self.is_read && other == Other::Shut {
                // Both are closed next, which tells as much.
                self.is_shut = true;
                return Poll::Ready(Ok(()));
            }
            if self.is_read {
                // A client that is gone by then has nothing to be told.
                let _ = ready!(Pin::new(&mut *to).poll_shutdown(context));
                self.is_shut = true;
                return Poll::Ready(Ok(()));
            }
            ready!(turn.poll(context));
            if self.is_long {
                ready!(self.poll_splice(from, context, &mut seen))?;
            } else {
                ready!(self.poll_pass(from, to, context, &mut seen))?;
            }
        }
    }

    /// Writes what is pending.
    fn poll_flush(&mut self, to: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let rest = &self.pending[self.written..];
            let written = ready!(Pin::new(&mut *to).poll_write(context, rest))?;
            self.written += written;
        }
        if !self.pending.is_empty() {
            self.pending = Vec::new();
            self.written = 0;
        }
        pipe::poll_drain(&mut self.pipe, to, context)
    }

    /// Fills the pipe; what comes in drops is copied from then on.
    fn poll_splice(
        &mut self,
        from: &TcpStream,
        context: &mut Context<'_>,
        seen: &mut impl FnMut(Seen<'_>),
    ) -> Poll<Result<(), Fault>> {
        match pipe::poll_fill(&mut self.pipe, from, u64::MAX, context) {
            Poll::Pending => {
                self.is_long = false;
                return Poll::Pending;
            }
            Poll::Ready(Filled::Bytes(bytes)) => seen(Seen::Spliced(bytes)),
            Poll::Ready(Filled::End) => self.is_read = true,
            Poll::Ready(Filled::Unable) => self.is_long = false,
            Poll::Ready(Filled::Broken) => return Poll::Ready(Err(Fault::Reading)),
        }
        Poll::Ready(Ok(()))
    }

    /// Reads a chunk and writes as much of it as the other side takes; the rest is pending.
    fn poll_pass(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        context: &mut Context<'_>,
        seen: &mut impl FnMut(Seen<'_>),
    ) -> Poll<Result<(), Fault>> {
        let passed = chunk::poll_read(from, context, |_, bytes, context| {
            if bytes.is_empty() {
                self.is_read = true;
                return Ok(());
            }
            seen(Seen::Bytes(bytes));
            self.is_long = bytes.len() == chunk::CHUNK_BYTES;
            let written = match Pin::new(to).poll_write(context, bytes) {
                Poll::Ready(written) => written.map_err(|_| Fault::Writing)?,
                Poll::Pending => 0,
            };
            if written < bytes.len() {
                self.pending = bytes[written..].to_vec();
            }
            Ok(())
        });
        Poll::Ready(ready!(passed).unwrap_or(Err(Fault::Reading)))
    }
}
