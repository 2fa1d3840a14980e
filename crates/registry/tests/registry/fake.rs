//! A registry in a few lines, which does what a test wants.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use registry::{Config, Reference};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

pub type Answer = Response<BoxBody<Bytes, std::io::Error>>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Handler = dyn Fn(Request<Incoming>) -> Answering + Send + Sync;

/// An answer with this status is none: the connection breaks.
pub const BREAK: u16 = 599;

pub struct Fake {
    pub address: SocketAddr,
    /// Each request as `METHOD path?query authorization`.
    pub requests: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Fake {
    pub async fn start<F>(handler: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::serve(None, Arc::new(move |request| Box::pin(handler(request)))).await
    }

    /// Speaks TLS with a certificate of an authority of its own, which it writes into this file.
    pub async fn start_secure<F>(
        authority: &Path,
        handler: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(authority, certified.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certified.cert.der().clone()], key)
                .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        Self::serve(Some(acceptor), Arc::new(move |request| Box::pin(handler(request)))).await
    }

    async fn serve(acceptor: Option<tokio_rustls::TlsAcceptor>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (handler, seen, acceptor) = (handler.clone(), seen.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(stream, handler, seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, handler, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests, serving }
    }

    pub fn name(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().unwrap()
    }

    pub fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The authorities of this machine are not asked in tests.
    pub fn config() -> Config {
        Config { certificate_directories: Vec::new(), ..Config::default() }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    handler: Arc<Handler>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let line = format!("{} {} {}", request.method(), request.uri(), authorization.unwrap_or("-"));
        seen.lock().unwrap().push(line);
        let answering = handler(request);
        async move {
            let answer = answering.await;
            if answer.status() == BREAK {
                Err(std::io::Error::other("broken on purpose"))
            } else {
                Ok(answer)
            }
        }
    });
    // A conversation that breaks is what some tests want.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into()).map_err(|never| match never {}).boxed()).unwrap()
}
