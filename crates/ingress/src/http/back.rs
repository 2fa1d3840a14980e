//! A response on its way to the client.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http1::{BadResponse, Body, Passed, Reply, Response, Version, read_response};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::chunk::{self, Turn};
use crate::pipe::{self, Filled, Pipe};

/// Heads longer than this are no response.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Up to this size a body is copied behind its head: one plain write costs less than one from two places.
const JOINED_BYTES_MAX: usize = 8 * 1024;

/// Room for what the proxy adds to a head.
const ADDED_BYTES: usize = 64;

/// Is a response of which some has been received.
pub(crate) struct Back {
    /// What is written to the client next, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// What was read of a head, or belongs to no response.
    rest: Vec<u8>,
    /// Something was read.
    has_begun: bool,
    response: Option<Response>,
    body: Body,
    /// Carries what is long.
    pipe: Option<Pipe>,
    /// Nothing can be carried so.
    has_no_pipe: bool,
}

/// Says why a response does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The client takes no more.
    Client,
    /// The backend broke off.
    Server,
    /// The backend said what is no response.
    Bad(&'static str),
}

impl Back {
    pub(crate) fn new() -> Back {
        let (out, rest) = (Vec::new(), Vec::new());
        let (response, body) = (None, Body::empty());
        Back { out, written: 0, rest, has_begun: false, response, body, pipe: None, has_no_pipe: false }
    }

    /// Tells whether the backend said anything.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns the head, once the last one has come.
    pub(crate) fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// Tells whether the client was written anything.
    pub(crate) fn has_spoken(&self) -> bool {
        self.response.is_some() || self.written > 0 || !self.out.is_empty()
    }

    /// Returns what the backend said after the response.
    pub(crate) fn into_rest(self) -> Vec<u8> {
        self.rest
    }

    /// Receives and passes on what there is; ready once the client has all. Returns the bytes received in `moved`.
    pub(crate) fn poll(
        &mut self,
        server: &mut TcpStream,
        client: &mut TcpStream,
        context: &mut Context<'_>,
        reply: &Reply,
        moved: &mut usize,
    ) -> Poll<Result<(), Fault>> {
        let mut turn = Turn::default();
        loop {
            while self.written < self.out.len() {
                let written = Pin::new(&mut *client).poll_write(context, &self.out[self.written..]);
                self.written += ready!(written).map_err(|_| Fault::Client)?;
            }
            if self.written > 0 {
                self.out = Vec::new();
                self.written = 0;
            }
            ready!(pipe::poll_drain(&mut self.pipe, client, context)).map_err(|_| Fault::Client)?;
            if self.response.is_some() && self.body.is_done() {
                return Poll::Ready(Ok(()));
            }
            ready!(turn.poll(context));
            if !self.has_no_pipe && self.body.plain_bytes() >= pipe::WORTH_BYTES {
                let limit = self.body.plain_bytes();
                match ready!(pipe::poll_fill(&mut self.pipe, server, limit, context)) {
                    Filled::Bytes(bytes) => {
                        *moved += bytes;
                        self.body.skip(bytes as u64);
                    }
                    Filled::End => self.take_end()?,
                    Filled::Unable => self.has_no_pipe = true,
                    Filled::Broken => return Poll::Ready(Err(Fault::Server)),
                }
                continue;
            }
            let read = chunk::poll_read(server, context, |_, bytes, context| {
                *moved += bytes.len();
                self.take(bytes, client, context, reply)
            });
            ready!(read).map_err(|_| Fault::Server)??;
        }
    }

    /// Takes bytes that were read, none at the end.
    fn take(
        &mut self,
        bytes: &[u8],
        client: &mut TcpStream,
        context: &mut Context<'_>,
        reply: &Reply,
    ) -> Result<(), Fault> {
        if bytes.is_empty() {
            return self.take_end();
        }
        self.has_begun = true;
        if self.response.is_some() {
            return self.take_body(bytes, client, context);
        }
        let held = std::mem::take(&mut self.rest);
        if held.is_empty() {
            self.take_heads(bytes, client, context, reply)
        } else {
            self.take_heads(&[&held, bytes].concat(), client, context, reply)
        }
    }

    /// Takes the heads of interim responses and of the one that counts, and what follows it.
    fn take_heads(
        &mut self,
        mut bytes: &[u8],
        client: &mut TcpStream,
        context: &mut Context<'_>,
        reply: &Reply,
    ) -> Result<(), Fault> {
        self.out.reserve(bytes.len().min(JOINED_BYTES_MAX) + ADDED_BYTES);
        while !bytes.is_empty() {
            let before = self.out.len();
            let read = read_response(bytes, reply, &mut self.out);
            let Some(response) = read.map_err(|BadResponse(why)| Fault::Bad(why))? else {
                self.out.truncate(before);
                if bytes.len() > HEAD_BYTES_MAX {
                    return Err(Fault::Bad("its head is too long"));
                }
                self.rest = bytes.to_vec();
                return Ok(());
            };
            bytes = &bytes[response.head_bytes..];
            if !response.is_interim() {
                self.response = Some(response);
                self.body = response.body;
                return self.take_body(bytes, client, context);
            }
            if reply.version == Version::Http10 {
                // It would take it for the response.
                self.out.truncate(before);
            }
        }
        Ok(())
    }

    /// Takes what belongs to the body, and writes it together with the head at once, as far as the client takes it.
    fn take_body(
        &mut self,
        bytes: &[u8],
        client: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Result<(), Fault> {
        let passed = self.body.pass(bytes, &mut self.out);
        let (used, own) = match passed.map_err(|_| Fault::Bad("its chunks are malformed"))? {
            Passed::AsIs(used) => (used, &bytes[..used]),
            Passed::Rewritten(used) => (used, &[][..]),
        };
        self.rest.extend_from_slice(&bytes[used..]);
        if !self.out.is_empty() && own.len() <= JOINED_BYTES_MAX {
            self.out.extend_from_slice(own);
            // Written by the caller.
            return Ok(());
        }
        let both = [IoSlice::new(&self.out), IoSlice::new(own)];
        let client = Pin::new(client);
        let written = match self.out.is_empty() {
            true => client.poll_write(context, own),
            false => client.poll_write_vectored(context, &both),
        };
        let written = match written {
            Poll::Ready(written) => written.map_err(|_| Fault::Client)?,
            Poll::Pending => 0,
        };
        if written < self.out.len() + own.len() {
            self.out.extend_from_slice(own);
            self.written = written;
        } else {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Takes the end of the backend's connection.
    fn take_end(&mut self) -> Result<(), Fault> {
        if self.response.is_some() && self.body.ends_with_connection() {
            self.body = Body::empty();
            return Ok(());
        }
        Err(Fault::Server)
    }
}
