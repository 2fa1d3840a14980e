//! What runs inside the embedded image: a server that says who answers, and a tiny client to ask it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// How long the client waits for an answer.
const GET_TIMEOUT: Duration = Duration::from_secs(10);

/// Says who answers, or asks another.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port to answer on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Asks the server at this URL (http://HOST[:PORT][/PATH]) and prints its answer.
    #[arg(long, value_name = "URL")]
    get: Option<String>,
}

/// Runs the server until it is stopped, or the client once.
pub fn run(args: Args) -> anyhow::Result<()> {
    // One thread: there may be many of these on one host.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        match args.get {
            Some(url) => get(&url).await,
            None => serve(args.port).await,
        }
    })
}

async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("listen on port {port}"))?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("listen for the stop signal")?;
    println!("whoami answers on port {port}");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, peer)) = accepted {
                    connections.spawn(connection(stream, peer));
                }
            }
            Some(_ended) = connections.join_next() => {}
            _ = terminated.recv() => return Ok(()),
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr) {
    let own = stream.local_addr().ok();
    let _no_delay = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| async move {
        let body = Full::new(Bytes::from(text(&request, own, peer)));
        Response::builder().header("content-type", "text/plain; charset=utf-8").body(body)
    });
    // A client that breaks off is no concern of ours.
    let _broken =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Writes who answers, and what was asked, as `name: value` lines.
fn text(request: &Request<Incoming>, own: Option<SocketAddr>, peer: SocketAddr) -> String {
    let env = |key: &str| std::env::var(key).unwrap_or_default();
    let service = env("DROVER_SERVICE_NAME");
    let slot = env("DROVER_TASK_SLOT");
    let mut lines = vec![
        ("service".to_owned(), service),
        ("slot".to_owned(), slot),
        ("task".to_owned(), env("DROVER_TASK_ID")),
        ("node".to_owned(), env("DROVER_NODE_HOSTNAME")),
        (
            "hostname".to_owned(),
            std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned(),
        ),
        ("address".to_owned(), own.map(|own| own.to_string()).unwrap_or_default()),
        ("client".to_owned(), peer.to_string()),
        ("request".to_owned(), format!("{} {}", request.method(), request.uri())),
    ];
    for (name, value) in request.headers() {
        lines.push((format!("header {name}"), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    lines.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

async fn get(url: &str) -> anyhow::Result<()> {
    let uri: hyper::Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
    if uri.scheme_str() != Some("http") {
        bail!("{url:?} is not an http URL: expected http://HOST[:PORT][/PATH]");
    }
    let host = uri.host().with_context(|| format!("{url:?} names no host"))?.to_owned();
    let address = (host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(80));
    let answer = tokio::time::timeout(GET_TIMEOUT, async {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {host}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header("host", &host).body(Full::<Bytes>::default())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, body))
    });
    let (status, body) = answer
        .await
        .with_context(|| format!("{url} did not answer within {} s", GET_TIMEOUT.as_secs()))??;
    print!("{}", String::from_utf8_lossy(&body));
    if !status.is_success() {
        bail!("{url} answered {status}");
    }
    Ok(())
}
