//! A client of the Engine API.

mod error;
mod hijacked;
mod lines;

use bytes::Bytes;
use engine_json::{ApiVersion, ErrorBody, Filters, decode};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::ReaderStream;

pub use error::Error;
pub use hijacked::{Hijacked, Input, Output};
pub use lines::Lines;

use crate::Host;

type Streamed = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client of the Engine API of one daemon.
#[derive(Debug, Clone)]
pub struct Engine {
    host: Host,
}

/// A path of the API with its query, and credentials for a registry.
pub struct Route {
    path: String,
    registry_auth: Option<String>,
    is_hijack: bool,
}

impl Route {
    /// Takes a path, whose parts are already fit for a URL.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), registry_auth: None, is_hijack: false }
    }

    /// Sends credentials for a registry along.
    pub fn authorized(mut self, header: String) -> Self {
        self.registry_auth = Some(header);
        self
    }

    /// Adds a parameter.
    pub fn with(mut self, key: &str, value: impl AsRef<str>) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(key);
        self.path.push('=');
        self.path.push_str(&escape(value.as_ref()));
        self
    }

    /// Adds a flag that is set.
    pub fn flagged(self, key: &str, is_set: bool) -> Self {
        if is_set { self.with(key, "1") } else { self }
    }

    /// Adds filters, if there are any.
    pub fn filtered(self, filters: &Filters) -> Self {
        if filters.is_empty() { self } else { self.with("filters", filters.to_json()) }
    }
}

/// Escapes a part of a URL.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Escapes a name inside a path; an image's name keeps its slashes and colons.
pub fn escape_path(text: &str) -> String {
    escape(text).replace("%2F", "/").replace("%3A", ":").replace("%40", "@")
}

impl Engine {
    /// A client of the daemon there; it connects with each request.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// Gets an object.
    pub async fn get<T: DeserializeOwned>(&self, route: Route) -> Result<T, Error> {
        let answer = self.get_raw(route).await?;
        decode(&answer).map_err(Error::Answer)
    }

    /// Gets an object as the daemon wrote it.
    pub async fn get_raw(&self, route: Route) -> Result<Bytes, Error> {
        collect(self.send(Method::GET, &route, Body::Nothing).await?).await
    }

    /// Deletes an object.
    pub async fn delete(&self, route: Route) -> Result<Bytes, Error> {
        collect(self.send(Method::DELETE, &route, Body::Nothing).await?).await
    }

    /// Posts an object and reads the answer.
    pub async fn post<T: DeserializeOwned>(&self, route: Route, body: &impl Serialize) -> Result<T, Error> {
        let answer = self.post_plain(route, body).await?;
        decode(&answer).map_err(Error::Answer)
    }

    /// Posts an object; the answer's body is of no interest, or of its own kind.
    pub async fn post_plain(&self, route: Route, body: &impl Serialize) -> Result<Bytes, Error> {
        collect(self.send(Method::POST, &route, Body::json(body)).await?).await
    }

    /// Posts without a body; the answer's body is of no interest.
    pub async fn act(&self, route: Route) -> Result<Bytes, Error> {
        collect(self.send(Method::POST, &route, Body::Nothing).await?).await
    }

    /// Posts without a body and reads lines of the answer as they come.
    pub async fn post_lines(&self, route: Route) -> Result<Lines, Error> {
        Ok(Lines::new(self.send(Method::POST, &route, Body::Nothing).await?))
    }

    /// Posts a stream of bytes and reads lines of the answer as they come.
    pub async fn post_stream(
        &self,
        route: Route,
        content_type: &str,
        input: impl AsyncRead + Send + 'static,
    ) -> Result<Lines, Error> {
        let body = Body::streamed(content_type, input);
        Ok(Lines::new(self.send(Method::POST, &route, body).await?))
    }

    /// Gets an endless answer.
    pub async fn stream(&self, route: Route) -> Result<Lines, Error> {
        Ok(Lines::new(self.send(Method::GET, &route, Body::Nothing).await?))
    }

    /// Gets the head of an answer.
    pub async fn head(&self, route: Route) -> Result<HeaderMap, Error> {
        Ok(self.ask(Method::HEAD, &route, Body::Nothing).await?.into_parts().0.headers)
    }

    /// Gets a stream of bytes, with the head of the answer.
    pub async fn download(&self, route: Route) -> Result<(HeaderMap, Lines), Error> {
        let (head, body) = self.ask(Method::GET, &route, Body::Nothing).await?.into_parts();
        Ok((head.headers, Lines::new(body)))
    }

    /// Puts a stream of bytes at a place.
    pub async fn upload(
        &self,
        route: Route,
        content_type: &str,
        input: impl AsyncRead + Send + 'static,
    ) -> Result<Bytes, Error> {
        collect(self.ask(Method::PUT, &route, Body::streamed(content_type, input)).await?.into_body()).await
    }

    /// Posts an object, and takes the connection over for the streams of a process.
    pub async fn hijack(&self, route: Route, body: Option<&impl Serialize>) -> Result<Hijacked, Error> {
        let body = body.map_or(Body::Nothing, Body::json);
        let answer = self.ask(Method::POST, &Route { is_hijack: true, ..route }, body).await?;
        let kind = answer.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_framed = kind != Some(b"application/vnd.docker.raw-stream");
        Ok(Hijacked::new(hyper::upgrade::on(answer).await?, is_framed))
    }

    async fn send(&self, method: Method, route: &Route, body: Body) -> Result<Incoming, Error> {
        Ok(self.ask(method, route, body).await?.into_body())
    }

    async fn ask(&self, method: Method, route: &Route, body: Body) -> Result<Response<Incoming>, Error> {
        let request = request(method, route, body)?;
        let answer = match &self.host {
            Host::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| self.unreachable(error))?;
                talk(stream, request).await?
            }
            Host::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|error| self.unreachable(error))?;
                talk(stream, request).await?
            }
        };
        let status = answer.status();
        // An object that is already as it should be is no failure.
        let is_done = status.is_success() || status == StatusCode::NOT_MODIFIED;
        if is_done && !route.is_hijack || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer);
        }
        Err(refusal(status, &collect(answer.into_body()).await?))
    }

    fn unreachable(&self, cause: std::io::Error) -> Error {
        Error::Unreachable { host: self.host.clone(), cause }
    }
}

/// What is sent along with a request.
enum Body {
    Nothing,
    Something { content_type: String, bytes: Bytes },
    Stream { content_type: String, stream: Streamed },
}

impl Body {
    fn json(body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("bodies are always JSON").into();
        Self::Something { content_type: "application/json".into(), bytes }
    }

    fn streamed(content_type: &str, input: impl AsyncRead + Send + 'static) -> Self {
        let stream = BodyExt::boxed_unsync(StreamBody::new(ReaderStream::new(input).map_ok(Frame::data)));
        Self::Stream { content_type: content_type.to_owned(), stream }
    }
}

fn request(method: Method, route: &Route, body: Body) -> Result<Request<Streamed>, Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/v{}{}", ApiVersion::CURRENT, route.path))
        .header(header::HOST, "drover")
        .header(header::USER_AGENT, concat!("Drover-Client/", env!("CARGO_PKG_VERSION")));
    if let Some(auth) = &route.registry_auth {
        request = request.header("X-Registry-Auth", auth);
    }
    if route.is_hijack {
        request = request.header(header::CONNECTION, "Upgrade").header(header::UPGRADE, "tcp");
    }
    let full = |bytes: Bytes| BodyExt::boxed_unsync(Full::new(bytes).map_err(|never| match never {}));
    let (content_type, body) = match body {
        Body::Nothing => (None, full(Bytes::new())),
        Body::Something { content_type, bytes } => (Some(content_type), full(bytes)),
        Body::Stream { content_type, stream } => (Some(content_type), stream),
    };
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    request.body(body).map_err(|error| Error::Request(error.to_string()))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Streamed>,
) -> Result<Response<Incoming>, Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends by itself when the answer has been read or dropped.
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

async fn collect(body: Incoming) -> Result<Bytes, Error> {
    let frames = BodyStream::new(body).try_filter_map(async |frame| Ok(frame.into_data().ok()));
    let pieces: Vec<Bytes> = frames.try_collect().await?;
    Ok(pieces.concat().into())
}

fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let message = match decode::<ErrorBody>(body) {
        Ok(ErrorBody { message }) if !message.is_empty() => message,
        _ if body.is_empty() => format!("request returned {status}"),
        _ => String::from_utf8_lossy(body).trim().to_owned(),
    };
    Error::Refused { status, message }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
