//! Connections to backends on behalf of clients that speak HTTP/2; each worker thread has its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::backend::{Dialect, Member};
use crate::http::client::PREFACE;

/// How long a connection of HTTP/1 waits for its next request at most.
const AGE_MAX: Duration = Duration::from_secs(30);
/// How long a backend may take to show whether it speaks HTTP/2.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// A frame of settings that changes none (RFC 9113 §6.5).
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS: u8 = 4;
/// What a backend may send before it hears that there is room for more, per request and in all.
const WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Is what a backend is sent.
pub(super) type Outgoing = Either<Incoming, Empty<Bytes>>;

thread_local! {
    static SENDERS: RefCell<HashMap<u64, Senders>> = RefCell::default();
}

/// Is the connections to one member.
struct Senders {
    member: Arc<Member>,
    /// It carries any number of requests at once.
    shared: Option<http2::SendRequest<Outgoing>>,
    /// Each carries one at a time; the one that waited least is last.
    idle: Vec<(http1::SendRequest<Outgoing>, Instant)>,
    /// Held by the one who connects, as long as others may be able to share the connection.
    gate: Arc<Mutex<()>>,
}

/// Is a connection that takes a request.
pub(super) enum Sender {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

impl Sender {
    /// Takes a connection that is open.
    pub(super) fn take(member: &Member) -> Option<Sender> {
        SENDERS.with_borrow_mut(|senders| {
            let senders = senders.get_mut(&member.id)?;
            senders.shared.take_if(|sender| sender.is_closed());
            if let Some(sender) = &senders.shared {
                return Some(Sender::Http2(sender.clone()));
            }
            while let Some((sender, since)) = senders.idle.pop() {
                if sender.is_ready() && since.elapsed() < AGE_MAX {
                    return Some(Sender::Http1(sender));
                }
            }
            None
        })
    }

    /// Begins to speak on a fresh connection.
    pub(super) async fn greet(
        member: &Arc<Member>,
        stream: TcpStream,
        dialect: Dialect,
    ) -> Result<Sender, hyper::Error> {
        let io = TokioIo::new(stream);
        match dialect {
            Dialect::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                // It ends with its last request, or when nobody keeps its sender.
                tokio::spawn(connection);
                Ok(Sender::Http1(sender))
            }
            Dialect::Http2 => {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .initial_stream_window_size(WINDOW_BYTES)
                    .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                    .keep_alive_interval(Duration::from_secs(20))
                    .keep_alive_timeout(Duration::from_secs(10))
                    .handshake(io)
                    .await?;
                tokio::spawn(connection);
                keep(member, |senders| senders.shared = Some(sender.clone()));
                Ok(Sender::Http2(sender))
            }
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Sender::Http1(_) => Dialect::Http1,
            Sender::Http2(_) => Dialect::Http2,
        }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match self {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// Keeps the connection for other requests, once it is free for them.
    pub(super) fn put_back(self, member: Arc<Member>) {
        let Sender::Http1(mut sender) = self else { return };
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                keep(&member, |senders| senders.idle.push((sender, Instant::now())));
            }
        });
    }
}

impl Senders {
    fn new(member: &Arc<Member>) -> Senders {
        Senders { member: member.clone(), shared: None, idle: Vec::new(), gate: Arc::default() }
    }
}

/// Waits for its turn to connect to a member, or until it need not: a burst of requests makes one connection if that
/// can carry them all.
pub(super) async fn gate(member: &Arc<Member>) -> Option<OwnedMutexGuard<()>> {
    if member.dialect() == Some(Dialect::Http1) {
        return None;
    }
    let gate = SENDERS.with_borrow_mut(|senders| {
        let senders = senders.entry(member.id).or_insert_with(|| Senders::new(member));
        senders.gate.clone()
    });
    Some(gate.lock_owned().await)
}

fn keep(member: &Arc<Member>, keep: impl FnOnce(&mut Senders)) {
    if member.is_withdrawn() {
        return;
    }
    SENDERS.with_borrow_mut(|senders| {
        let known = senders.entry(member.id);
        keep(known.or_insert_with(|| Senders::new(member)));
    });
}

/// Closes what waited for long, and what leads to backends that were withdrawn; requests that are going on go on.
pub(crate) fn trim() {
    SENDERS.with_borrow_mut(|senders| {
        senders.retain(|_, senders| {
            senders.shared.take_if(|sender| sender.is_closed());
            senders.idle.retain(|(sender, since)| sender.is_ready() && since.elapsed() < AGE_MAX);
            let is_used = Arc::strong_count(&senders.gate) > 1;
            let is_empty = senders.shared.is_none() && senders.idle.is_empty() && !is_used;
            !senders.member.is_withdrawn() && !is_empty
        });
    });
}

/// Closes all.
pub(crate) fn clear() {
    SENDERS.take();
}

/// Finds out which version a backend speaks, on a connection of its own: one that speaks HTTP/2 answers its preface
/// with its settings, and others with an error or not at all. No request is lost by asking.
pub(super) async fn dialect(
    member: &Member,
    connect: impl Future<Output = io::Result<TcpStream>>,
) -> io::Result<Dialect> {
    if let Some(known) = member.dialect() {
        return Ok(known);
    }
    let mut stream = connect.await?;
    let asked = async {
        stream.write_all(&[PREFACE, NO_SETTINGS].concat()).await?;
        let mut frame = [0; NO_SETTINGS.len()];
        stream.read_exact(&mut frame).await?;
        io::Result::Ok(frame)
    };
    let found = match tokio::time::timeout(PROBE_PATIENCE, asked).await {
        // Its first frame has to be this one; a length of more than 64 kB is the text of another protocol.
        Ok(Ok([0, _, _, SETTINGS, _, 0, 0, 0, 0])) => Dialect::Http2,
        Ok(_) | Err(_) => Dialect::Http1,
    };
    member.set_dialect(found);
    Ok(found)
}
