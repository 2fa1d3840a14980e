//! A client's connection: where requests come from.

use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use http1::{Caller, Refusal, Request, read_request};
use tokio::net::TcpStream;

use crate::chunk;

/// Heads longer than this are refused; nginx takes as much.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// What a client that speaks HTTP/2 by prior knowledge says first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Is a client's connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) inbox: Inbox,
}

/// Is what a client has said.
pub(crate) struct Inbox {
    /// What was read and belongs to no request yet, or to the body of the current one.
    pub(crate) rest: Vec<u8>,
    pub(crate) caller: Caller,
    /// The client was seen to speak HTTP/1.
    is_http1: bool,
}

/// Is what a client asks for next.
pub(crate) enum Next {
    /// A request, with its head as backends should see it.
    Request(Request, Vec<u8>),
    /// To speak HTTP/2; what it said so far is in `rest`.
    Http2,
    /// Nothing: it closed the connection between two requests, or broke it.
    Nothing,
    /// What cannot be served.
    Bad(Refusal),
}

impl Client {
    pub(crate) fn new(stream: TcpStream, address: SocketAddr) -> Client {
        let inbox = Inbox { rest: Vec::new(), caller: Caller { client: address }, is_http1: false };
        Client { stream, inbox }
    }

    /// Returns a request that was read together with the one before.
    pub(crate) fn next_held(&mut self) -> Option<Next> {
        if self.inbox.rest.is_empty() {
            return None;
        }
        let held = std::mem::take(&mut self.inbox.rest);
        self.inbox.take(&held)
    }

    /// Reads until there is something to do; `begun` hears of the first byte of something that is not whole yet.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>, mut begun: impl FnMut()) -> Poll<Next> {
        let Client { stream, inbox } = self;
        loop {
            let read = chunk::poll_read(stream, context, |_, bytes, _| {
                // What is whole from the start, as most is, is not copied.
                let held = std::mem::take(&mut inbox.rest);
                match (bytes.is_empty(), held.is_empty()) {
                    (true, _) => Some(Next::Nothing),
                    (false, true) => inbox.take(bytes).or_else(|| {
                        begun();
                        None
                    }),
                    (false, false) => inbox.take(&[&held, bytes].concat()),
                }
            });
            match ready!(read) {
                Err(_) => return Poll::Ready(Next::Nothing),
                Ok(Some(next)) => return Poll::Ready(next),
                Ok(None) => {}
            }
        }
    }

    /// Tells whether the client closed its side or broke the connection; `Pending` as long as it waits, or has sent
    /// more already.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        match self.stream.poll_peek(context, &mut buffer) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Inbox {
    /// Reads a request from bytes, and holds those that are left; `None` if its end has not come.
    fn take(&mut self, bytes: &[u8]) -> Option<Next> {
        if !self.is_http1 {
            if bytes.starts_with(PREFACE) {
                self.rest = bytes.to_vec();
                return Some(Next::Http2);
            }
            if PREFACE.starts_with(bytes) {
                self.rest = bytes.to_vec();
                return None;
            }
            self.is_http1 = true;
        }
        let mut head = Vec::with_capacity(bytes.len().min(HEAD_BYTES_MAX) + 256);
        match read_request(bytes, &self.caller, &mut head) {
            Ok(Some(request)) if request.head_bytes > HEAD_BYTES_MAX => Some(Next::Bad(Refusal::TooLong)),
            Ok(Some(request)) => {
                self.rest = bytes[request.head_bytes..].to_vec();
                Some(Next::Request(request, head))
            }
            Ok(None) if bytes.len() > HEAD_BYTES_MAX => Some(Next::Bad(Refusal::TooLong)),
            Ok(None) => {
                self.rest = bytes.to_vec();
                None
            }
            Err(refusal) => Some(Next::Bad(refusal)),
        }
    }
}
