//! Connections that leave HTTP behind, as those of `attach` and `exec` do.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, DuplexStream};

use crate::engine::Session;
use crate::request::Version;
use crate::respond;

/// docker-py reads the head of an answer into a buffer that it throws away, with the output that came along.
const READS_AHEAD: &str = "docker-sdk-python";
/// How long such a client has to read the head alone: a hundred times what it takes on an idle machine.
const PAUSE: Duration = Duration::from_millis(20);
/// How much output waits for a client that did not ask for an upgrade.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// What goes on with a connection after its last answer. It runs in the connection's own task, and ends with it.
#[derive(Clone, Default)]
pub(crate) struct Afterwards(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl Afterwards {
    /// Does what was left to do.
    pub async fn go_on(&self) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(left) = left {
            left.await;
        }
    }

    fn leave(&self, what: BoxFuture<'static, ()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }
}

/// A request whose answer is a conversation.
pub(crate) struct Hijack {
    version: Version,
    /// There if the client asks to leave HTTP.
    upgrade: Option<(OnUpgrade, Afterwards)>,
    pause: Option<Duration>,
}

impl<S: Send + Sync> FromRequestParts<S> for Hijack {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Ok(version) = Version::from_request_parts(parts, state).await;
        let afterwards = parts.extensions.get::<Afterwards>().cloned();
        let upgrade = parts.extensions.remove::<OnUpgrade>().zip(afterwards);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let pause = agent.is_some_and(|agent| agent.starts_with(READS_AHEAD)).then_some(PAUSE);
        Ok(Self { version, upgrade, pause })
    }
}

impl Hijack {
    /// Answers, and lets the client talk to a program: on the bare connection after an upgrade; else it can
    /// only listen, to the body of a plain answer.
    pub fn answer(self, session: Box<dyn Session>) -> Response {
        let content_type = respond::output_type(session.is_raw(), self.version);
        let Some((upgrade, afterwards)) = self.upgrade else {
            return respond::stream(content_type, output(session));
        };
        afterwards.leave(Box::pin(async move {
            let upgraded = upgrade.await;
            if let Some(pause) = self.pause {
                tokio::time::sleep(pause).await;
            }
            let talked = match upgraded {
                Ok(connection) => session.run(Box::new(TokioIo::new(connection))).await,
                Err(error) => Err(std::io::Error::other(error)),
            };
            if let Err(error) = talked {
                tracing::debug!(%error, "a client's conversation with a container broke off");
            }
        }));
        let mut response = respond::bare(StatusCode::SWITCHING_PROTOCOLS);
        response.extensions_mut().insert(ReasonPhrase::from_static(b"UPGRADED"));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
        response
    }
}

/// Returns what a program says. Its input stays open and empty.
fn output(session: Box<dyn Session>) -> impl Stream<Item = Bytes> + Send {
    let (near, far) = tokio::io::duplex(WAITING_BYTES_MAX);
    stream::unfold(Listening { near, talk: Some(session.run(Box::new(far))) }, Listening::next)
}

struct Listening {
    near: DuplexStream,
    talk: Option<BoxFuture<'static, std::io::Result<()>>>,
}

impl Listening {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let mut piece = bytes::BytesMut::with_capacity(WAITING_BYTES_MAX);
        loop {
            let Some(talk) = &mut self.talk else {
                let length = self.near.read_buf(&mut piece).await.ok()?;
                return (length > 0).then(|| (piece.freeze(), self));
            };
            tokio::select! {
                read = self.near.read_buf(&mut piece) => {
                    return (read.ok()? > 0).then(|| (piece.freeze(), self));
                }
                _over = talk => self.talk = None,
            }
        }
    }
}
