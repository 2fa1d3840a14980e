//! A daemon that answers from a list, for tests of requests and output.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::{Console, Context, Engine, Host, finish};

/// What a command did.
pub struct Outcome {
    /// What it wrote.
    pub out: String,
    /// What it wrote to the error output.
    pub err: String,
    /// Its exit code.
    pub code: u8,
    /// Each request as `METHOD PATH?QUERY`, with its body.
    pub requests: Vec<(String, Value)>,
}

/// Answers by `METHOD PATH`, without version and query.
pub type Answers = BTreeMap<String, (u16, Value)>;

/// The header that tells of a file; an object with this key is such an answer, with its `body`.
const PATH_STAT: &str = "X-Docker-Container-Path-Stat";
/// How long a stream may go on after the command.
const STREAMS_END: Duration = Duration::from_secs(5);

/// What the daemon knows and has seen.
struct Daemon {
    answers: Answers,
    requests: Mutex<Vec<(String, Value)>>,
    streams: Mutex<JoinSet<()>>,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

/// Reads answers from pairs of `METHOD PATH` and a body, all with status 200.
pub fn answers<const N: usize>(pairs: [(&str, Value); N]) -> Answers {
    pairs.into_iter().map(|(route, body)| (route.to_owned(), (200, body))).collect()
}

/// Runs a command against a daemon that knows these answers, which listens in `folder`. `input` is what is typed.
pub async fn run(
    folder: &std::path::Path,
    answers: Answers,
    input: &str,
    command: impl AsyncFnOnce(&mut Context) -> anyhow::Result<()>,
) -> Outcome {
    let path = folder.join("d.sock");
    let listener = UnixListener::bind(&path).expect("a test's folder takes a socket");
    let daemon = Arc::new(Daemon { answers, requests: Mutex::default(), streams: Mutex::default() });
    let server = tokio::spawn(serve(listener, daemon.clone()));
    let (out, err) = (Buffer::default(), Buffer::default());
    let console = Console::to(Box::new(out.clone()), Box::new(err.clone()), input);
    let mut context = Context { engine: Engine::new(Host::Unix(path)), console };
    let result = command(&mut context).await;
    let code = finish(result, &mut context.console);
    // Streams that the command has left are still to be noted.
    let streams = std::mem::take(&mut *daemon.streams.lock().expect("no answer panics"));
    let _ = tokio::time::timeout(STREAMS_END, streams.join_all()).await;
    server.abort();
    let requests = daemon.requests.lock().expect("no answer panics").clone();
    Outcome { out: out.text(), err: err.text(), code, requests }
}

async fn serve(listener: UnixListener, daemon: Arc<Daemon>) {
    while let Ok((stream, _)) = listener.accept().await {
        let daemon = daemon.clone();
        let service = service_fn(move |request| answer(request, daemon.clone()));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection.with_upgrades());
    }
}

async fn answer(
    mut request: Request<Incoming>,
    daemon: Arc<Daemon>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
    let route = path.strip_prefix("/v1.50").expect("the client names its version").to_owned();
    let key = format!("{} {}", head.method, route.split('?').next().unwrap_or_default());
    let sent = serde_json::from_slice(&body).unwrap_or(Value::Null);
    daemon.note(format!("{} {route}", head.method), sent);
    let missing = (404, serde_json::json!({"message": "page not found"}));
    let (status, body) = daemon.answers.get(&key).cloned().unwrap_or(missing);
    let mut response = Response::builder().status(status);
    if let Some(stat) = body.get(PATH_STAT).and_then(Value::as_str) {
        response = response.header(PATH_STAT, stat);
    }
    // A text stands for itself: lines of progress, output, or nothing.
    let body = match body {
        Value::String(text) => text,
        Value::Object(fields) if fields.contains_key(PATH_STAT) => {
            fields.get("body").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    };
    if status == 101 {
        let stream = stream(upgrade, body, key, daemon.clone());
        daemon.streams.lock().expect("no answer panics").spawn(stream);
        response = response.header("connection", "Upgrade").header("upgrade", "tcp");
        let response = response.header("content-type", "application/vnd.docker.raw-stream");
        return Ok(response.body(Full::default()).expect("a status makes an answer"));
    }
    let response = response.header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).expect("a status and a body make an answer"))
}

impl Daemon {
    fn note(&self, request: String, body: Value) {
        self.requests.lock().expect("no answer panics").push((request, body));
    }
}

/// Writes output to a client that took the connection over, and notes what it sends, as `STDIN PATH`.
async fn stream(upgrade: hyper::upgrade::OnUpgrade, output: String, key: String, daemon: Arc<Daemon>) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut stream = TokioIo::new(upgraded);
    let mut input = Vec::new();
    // Output that a client does not wait for is nothing to complain about.
    let _ = stream.write_all(output.as_bytes()).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut input).await;
    let path = key.split_once(' ').map_or("", |(_, path)| path);
    daemon.note(format!("STDIN {path}"), Value::from(String::from_utf8_lossy(&input).into_owned()));
}
