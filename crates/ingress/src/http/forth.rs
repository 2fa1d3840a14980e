//! A request on its way to a backend.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http1::{Body, Passed};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::client::Client;
use crate::chunk::{self, Turn};
use crate::pipe::{self, Filled, Pipe};

/// Is a request of which some has been sent.
pub(crate) struct Forth {
    /// What was taken from the client, from the head on as long as it `is_whole`.
    taken: Vec<u8>,
    /// How much of it was sent.
    sent: usize,
    body: Body,
    /// Nothing of the request was let go yet, so that another backend can be sent it.
    is_whole: bool,
    whole_bytes_max: usize,
    /// Carries what is long.
    pipe: Option<Pipe>,
    /// Nothing can be carried so.
    has_no_pipe: bool,
}

/// Says why a request does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The client broke off.
    Client,
    /// The client sent a body that is none.
    Malformed,
    /// The backend takes no more.
    Server,
}

impl Forth {
    /// Begins with a head, and what came of the body with it.
    pub(crate) fn new(
        head: Vec<u8>,
        body: Body,
        rest: &mut Vec<u8>,
        whole_bytes_max: usize,
    ) -> (Forth, Result<(), Fault>) {
        let mut forth = Forth {
            taken: head,
            sent: 0,
            body,
            is_whole: true,
            whole_bytes_max,
            pipe: None,
            has_no_pipe: false,
        };
        let begun = forth.take_rest(rest);
        (forth, begun)
    }

    /// Tells whether all of the request was taken from the client.
    pub(crate) fn is_taken(&self) -> bool {
        self.body.is_done()
    }

    /// Tells whether another backend can be sent the same, as far as it was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Tells whether the backend got nothing.
    pub(crate) fn is_unsent(&self) -> bool {
        self.is_whole && self.sent == 0
    }

    /// Begins again, for another backend.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Lets go of what another backend would need, as this one has answered.
    pub(crate) fn let_go(&mut self) {
        self.is_whole = false;
    }

    /// Sends what can be sent; ready once the backend has all. Returns the bytes sent in `moved`.
    pub(crate) fn poll(
        &mut self,
        client: &mut Client,
        server: &mut TcpStream,
        context: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<(), Fault>> {
        let mut turn = Turn::default();
        loop {
            while self.sent < self.taken.len() {
                let written = Pin::new(&mut *server).poll_write(context, &self.taken[self.sent..]);
                let bytes = ready!(written).map_err(|_| Fault::Server)?;
                self.sent += bytes;
                *moved += bytes;
            }
            if !self.is_whole && self.sent > 0 {
                self.taken = Vec::new();
                self.sent = 0;
            }
            ready!(pipe::poll_drain(&mut self.pipe, server, context)).map_err(|_| Fault::Server)?;
            if self.body.is_done() {
                return Poll::Ready(Ok(()));
            }
            if !client.inbox.rest.is_empty() {
                self.take_rest(&mut client.inbox.rest)?;
                continue;
            }
            ready!(turn.poll(context));
            let Client { stream, inbox } = client;
            if !self.has_no_pipe
                && self.body.plain_bytes() >= pipe::WORTH_BYTES.max(self.whole_bytes_max as u64)
            {
                let limit = self.body.plain_bytes();
                match ready!(pipe::poll_fill(&mut self.pipe, stream, limit, context)) {
                    Filled::Bytes(bytes) => {
                        // More than is remembered for another backend.
                        self.is_whole = false;
                        *moved += bytes;
                        self.body.skip(bytes as u64);
                    }
                    Filled::Unable => self.has_no_pipe = true,
                    Filled::End | Filled::Broken => return Poll::Ready(Err(Fault::Client)),
                }
                continue;
            }
            let read = chunk::poll_read(stream, context, |_, bytes, context| {
                self.take_chunk(bytes, &mut inbox.rest, server, context, moved)
            });
            ready!(read).map_err(|_| Fault::Client)??;
        }
    }

    /// Takes what belongs to the body out of what was read before.
    fn take_rest(&mut self, rest: &mut Vec<u8>) -> Result<(), Fault> {
        if rest.is_empty() || self.body.is_done() {
            return Ok(());
        }
        let passed = self.body.pass(rest, &mut self.taken).map_err(|_| Fault::Malformed)?;
        match passed {
            Passed::AsIs(bytes) => self.taken.extend(rest.drain(..bytes)),
            Passed::Rewritten(bytes) => drop(rest.drain(..bytes)),
        }
        self.bound();
        Ok(())
    }

    /// Takes what belongs to the body out of what was just read; sends it at once if nothing is to be kept.
    fn take_chunk(
        &mut self,
        bytes: &[u8],
        rest: &mut Vec<u8>,
        server: &mut TcpStream,
        context: &mut Context<'_>,
        moved: &mut usize,
    ) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Err(Fault::Client);
        }
        if self.is_whole && self.taken.len() + bytes.len() > self.whole_bytes_max {
            // All of it was sent by now.
            self.is_whole = false;
            self.taken.clear();
            self.sent = 0;
        }
        let used = match self.body.pass(bytes, &mut self.taken).map_err(|_| Fault::Malformed)? {
            Passed::Rewritten(used) => used,
            Passed::AsIs(used) => {
                let own = &bytes[..used];
                let written = if self.is_whole { 0 } else { write_now(server, context, own)? };
                *moved += written;
                self.taken.extend_from_slice(&own[written..]);
                used
            }
        };
        rest.extend_from_slice(&bytes[used..]);
        Ok(())
    }

    fn bound(&mut self) {
        if self.taken.len() > self.whole_bytes_max {
            self.is_whole = false;
        }
    }
}

fn write_now(server: &mut TcpStream, context: &mut Context<'_>, bytes: &[u8]) -> Result<usize, Fault> {
    match Pin::new(server).poll_write(context, bytes) {
        Poll::Ready(Ok(written)) => Ok(written),
        Poll::Ready(Err(_)) => Err(Fault::Server),
        Poll::Pending => Ok(0),
    }
}
