//! A client of the Engine API.

mod error;
mod lines;

use bytes::Bytes;
use engine_json::{ApiVersion, ErrorBody, Filters, decode};
use futures_util::TryStreamExt as _;
use http::{Method, Request, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::ReaderStream;

pub use error::Error;
pub use lines::Lines;

use crate::Host;

type Body = BoxBody<Bytes, std::io::Error>;

/// A client of the Engine API of one daemon.
pub struct Engine {
    host: Host,
}

/// A path of the API with its query, and credentials for a registry.
pub struct Route {
    path: String,
    registry_auth: Option<String>,
}

impl Route {
    /// Takes a path, whose parts are already fit for a URL.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), registry_auth: None }
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
        self.read(self.send(Method::GET, &route, None, empty()).await?).await
    }

    /// Gets an object as the daemon wrote it.
    pub async fn get_raw(&self, route: Route) -> Result<Bytes, Error> {
        collect(self.send(Method::GET, &route, None, empty()).await?).await
    }

    /// Deletes an object.
    pub async fn delete(&self, route: Route) -> Result<Bytes, Error> {
        collect(self.send(Method::DELETE, &route, None, empty()).await?).await
    }

    /// Posts an object and reads the answer.
    pub async fn post<T: DeserializeOwned>(&self, route: Route, body: &impl Serialize) -> Result<T, Error> {
        let answer = self.post_plain(route, body).await?;
        decode(&answer).map_err(Error::Answer)
    }

    /// Posts an object; the answer's body is of no interest, or of its own kind.
    pub async fn post_plain(&self, route: Route, body: &impl Serialize) -> Result<Bytes, Error> {
        let body = serde_json::to_vec(body).expect("bodies are always JSON");
        let answer = self.send(Method::POST, &route, Some("application/json"), full(body)).await?;
        collect(answer).await
    }

    /// Posts without a body and reads lines of the answer as they come.
    pub async fn post_lines(&self, route: Route) -> Result<Lines, Error> {
        Ok(Lines::new(self.send(Method::POST, &route, None, empty()).await?))
    }

    /// Posts a stream of bytes and reads lines of the answer as they come.
    pub async fn post_stream(
        &self,
        route: Route,
        content_type: &str,
        input: impl AsyncRead + Send + Sync + 'static,
    ) -> Result<Lines, Error> {
        let stream = ReaderStream::new(input).map_ok(Frame::data);
        let body = BodyExt::boxed(StreamBody::new(stream));
        Ok(Lines::new(self.send(Method::POST, &route, Some(content_type), body).await?))
    }

    /// Gets an endless answer.
    pub async fn stream(&self, route: Route) -> Result<Lines, Error> {
        Ok(Lines::new(self.send(Method::GET, &route, None, empty()).await?))
    }

    async fn read<T: DeserializeOwned>(&self, answer: Incoming) -> Result<T, Error> {
        decode(&collect(answer).await?).map_err(Error::Answer)
    }

    async fn send(
        &self,
        method: Method,
        route: &Route,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<Incoming, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v{}{}", ApiVersion::CURRENT, route.path))
            .header(header::HOST, "drover")
            .header(header::USER_AGENT, concat!("Drover-Client/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(auth) = &route.registry_auth {
            request = request.header("X-Registry-Auth", auth);
        }
        let request = request.body(body).map_err(|error| Error::Request(error.to_string()))?;
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
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(refusal(head.status, &collect(body).await?))
    }

    fn unreachable(&self, cause: std::io::Error) -> Error {
        Error::Unreachable { host: self.host.clone(), cause }
    }
}

fn empty() -> Body {
    full(Vec::new())
}

fn full(body: Vec<u8>) -> Body {
    BodyExt::boxed(Full::new(Bytes::from(body)).map_err(|never| match never {}))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<http::Response<Incoming>, Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends by itself when the answer has been read or dropped.
    tokio::spawn(connection);
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
