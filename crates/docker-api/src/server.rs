//! The HTTP server: listeners, the version in the path, the headers of every answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use engine_json::ApiVersion;
use http::{HeaderValue, Method, Uri};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::engine::{Connection, Engine};
use crate::error::ApiError;
use crate::hijack::Afterwards;
use crate::request::{App, Version};
use crate::unread::Unread;
use crate::{respond, routes};

/// The pause after a connection could not be accepted, such as when no descriptor is left.
const ACCEPT_RETRY: std::time::Duration = std::time::Duration::from_millis(50);

/// Where the API is served.
#[derive(Debug)]
pub enum Listener {
    /// A unix socket; whoever may open it has all rights.
    Unix(UnixListener),
    /// A TCP port.
    Tcp(TcpListener),
}

/// Serves the API on one listener until `stop` is true. Connections are cut then.
pub async fn serve(listener: Listener, engine: Arc<dyn Engine>, mut stop: watch::Receiver<bool>) {
    let router = routes::router(App { engine: engine.clone() });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            Some(_ended) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(stream) => {
                connections.spawn(connection(stream, router.clone(), engine.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the API");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    connections.shutdown().await;
}

async fn accept(listener: &Listener) -> std::io::Result<Connection> {
    match listener {
        Listener::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

async fn connection(stream: Connection, router: Router, engine: Arc<dyn Engine>) {
    let afterwards = Afterwards::default();
    let handed_out = afterwards.clone();
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let (router, engine) = (router.clone(), engine.clone());
        request.extensions_mut().insert(handed_out.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = Unread::new(body);
            let request = Request::from_parts(parts, Body::new(body.clone()));
            let response = answer(request, router, &*engine).await;
            if response.status().is_client_error() || response.status().is_server_error() {
                body.discard().await;
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // Names of headers are written as Docker writes them, for clients that compare them as they are.
    let mut server = http1::Builder::new();
    server.title_case_headers(true);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await {
        tracing::debug!(%error, "a connection to the API broke");
    }
    afterwards.go_on().await;
}

async fn answer(mut request: Request, router: Router, engine: &dyn Engine) -> Response {
    let taken = take_version(&mut request);
    let is_ping = request.uri().path() == "/_ping";
    let mut response = match taken {
        _ if request.method() == Method::OPTIONS => respond::empty(),
        Err(error) => error.into_response(),
        // The router would answer HEAD wherever it answers GET, and begin endless streams for nobody.
        Ok(()) if request.method() == Method::HEAD && !routes::has_head(request.uri().path()) => {
            routes::refusal(&request).into_response()
        }
        Ok(()) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
    };
    let headers = response.headers_mut();
    headers.insert("api-version", text(&ApiVersion::CURRENT.to_string()));
    headers.insert("docker-experimental", HeaderValue::from_static("false"));
    headers.insert("ostype", HeaderValue::from_static("linux"));
    headers.insert("server", text(&format!("Drover/{} (linux)", env!("CARGO_PKG_VERSION"))));
    if is_ping {
        headers.insert("swarm", text(&routes::swarm_header(&engine.membership())));
    }
    response
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// Takes `/v1.50` off the path, so that every route exists with and without it.
fn take_version(request: &mut Request) -> Result<(), ApiError> {
    let path = request.uri().path();
    let Some((version, rest)) = versioned(path) else { return Ok(()) };
    let version = version.parse::<ApiVersion>().and_then(ApiVersion::served);
    let version = version.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let uri: Uri = format!("/{rest}{query}").parse().map_err(|_| ApiError::bad_request("invalid path"))?;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(Version(version));
    Ok(())
}

/// Splits `/v1.50/rest`.
fn versioned(path: &str) -> Option<(&str, &str)> {
    let (version, rest) = path.strip_prefix("/v")?.split_once('/')?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((version, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_off_the_path() {
        assert_eq!(versioned("/v1.50/services/a"), Some(("1.50", "services/a")));
        assert_eq!(versioned("/volumes"), None);
        assert_eq!(versioned("/version"), None);
        assert_eq!(versioned("/v1.50"), None);
        assert_eq!(versioned("/services/v1.50/x"), None);
    }
}
