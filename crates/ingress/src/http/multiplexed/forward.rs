//! One request of a client that speaks HTTP/2, and its response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{Either, Empty, Full};
use http1::{Caller, Refusal};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::count::Counted;
use super::fields::{announce, host, remove_hop_by_hop, translate};
use super::senders::{Outgoing, Sender, dialect, gate};
use crate::backend::Use;
use crate::choose::Tried;
use crate::http::answer::Problem;
use crate::manners::{Busy, Manners};
use crate::port::Port;
use crate::reach::{connect, reach};

/// Is what a client is sent: what a backend answers, or what the proxy says itself.
type Answer = Either<Answered, Full<Bytes>>;

/// Serves one request.
pub(super) async fn forward(
    request: Request<Incoming>,
    caller: Caller,
    port: Arc<Port>,
    manners: Arc<Manners>,
    counted: Counted,
) -> Result<Response<Answer>, Infallible> {
    let busy = manners.begin();
    let answered = match Asked::new(request, &caller) {
        Ok(asked) => asked.serve(&port, &manners).await,
        Err(problem) => Err(problem),
    };
    Ok(match answered {
        Ok((response, use_)) => {
            let (mut parts, body) = response.into_parts();
            remove_hop_by_hop(&mut parts.headers);
            parts.version = Version::HTTP_2;
            Response::from_parts(parts, Either::Left(Answered { body, _held: (use_, busy, counted) }))
        }
        Err(problem) => {
            if !matches!(problem, Problem::Refused(_)) {
                port.refuse();
            }
            say(problem)
        }
    })
}

/// Is a request that waits for a backend.
struct Asked {
    parts: Parts,
    host: Authority,
    body: Option<Incoming>,
    is_idempotent: bool,
}

impl Asked {
    fn new(request: Request<Incoming>, caller: &Caller) -> Result<Asked, Problem> {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            let why = Refusal::NotImplemented("this proxy connects to no other hosts");
            return Err(Problem::Refused(why));
        }
        let host = host(&parts).ok_or(Problem::Refused(Refusal::Bad("the host is missing or malformed")))?;
        announce(&mut parts, caller, &host);
        let is_idempotent = parts.method.is_idempotent();
        Ok(Asked { parts, host, body: Some(body).filter(|body| !body.is_end_stream()), is_idempotent })
    }

    /// Asks one backend after another until one answers.
    async fn serve(mut self, port: &Port, manners: &Manners) -> Result<(Response<Incoming>, Use), Problem> {
        let (mut tried, mut problem, mut has_body) =
            (Tried::default(), Problem::NoBackend, self.body.is_some());
        while let Some(counted) = port.pick(&mut tried) {
            let Some((counted, mut sender)) = self.sender(counted, port, &mut tried, manners).await else {
                problem = Problem::Unreachable;
                continue;
            };
            let member = counted.member().clone();
            let request = self.request(&sender);
            match timeout(manners.limits.stall, sender.send(request)).await {
                Ok(Ok(response)) => {
                    counted.answered();
                    sender.put_back(member);
                    return Ok((response, counted));
                }
                Ok(Err(mut failed)) => {
                    problem = Problem::Broken;
                    if let Some(unsent) = failed.take_message() {
                        if let Either::Left(body) = unsent.into_body() {
                            self.body = Some(body);
                        }
                    } else if has_body || !self.is_idempotent {
                        break;
                    }
                    counted.failed(manners.patience.avoid_failed);
                }
                Err(_) => {
                    counted.failed(manners.patience.avoid_failed);
                    return Err(Problem::SlowBackend);
                }
            }
            has_body = self.body.is_some();
        }
        Err(problem)
    }

    /// Finds a connection to a backend, or to another if it takes none.
    async fn sender(
        &self,
        counted: Use,
        port: &Port,
        tried: &mut Tried,
        manners: &Manners,
    ) -> Option<(Use, Sender)> {
        if let Some(sender) = Sender::take(counted.member()) {
            return Some((counted, sender));
        }
        let was_avoided = counted.is_avoided();
        let gate = gate(counted.member()).await;
        if gate.is_some()
            && let Some(sender) = Sender::take(counted.member())
        {
            return Some((counted, sender));
        }
        // The one before may have found out that it takes none.
        if !was_avoided && counted.is_avoided() {
            return None;
        }
        let (counted, stream) = reach(port, Some(counted), tried, &manners.patience).await.ok()?;
        let member = counted.member();
        let dialect = dialect(member, connect(counted.backend().address)).await.ok()?;
        let sender = Sender::greet(member, stream, dialect).await.ok()?;
        Some((counted, sender))
    }

    /// Makes the request for a connection; its body goes with it.
    fn request(&mut self, sender: &Sender) -> Request<Outgoing> {
        let mut parts = self.parts.clone();
        translate(&mut parts, &self.host, sender.dialect());
        let body = self.body.take().map_or_else(|| Either::Right(Empty::new()), Either::Left);
        Request::from_parts(parts, body)
    }
}

fn say(problem: Problem) -> Response<Answer> {
    let mut response = Response::new(Either::Right(Full::from(problem.text())));
    *response.status_mut() = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Is the body of a backend's response; the request counts as going on until it ends.
pub(super) struct Answered {
    body: Incoming,
    _held: (Use, Busy, Counted),
}

impl Body for Answered {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
