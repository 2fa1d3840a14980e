//! A daemon that answers from a list, for tests of requests and output.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixListener;

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

type Requests = Arc<Mutex<Vec<(String, Value)>>>;

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

/// Runs a command against a daemon that knows these answers, which listens in `folder`.
pub async fn run(
    folder: &std::path::Path,
    answers: Answers,
    command: impl AsyncFnOnce(&mut Context) -> anyhow::Result<()>,
) -> Outcome {
    let path = folder.join("d.sock");
    let requests = Requests::default();
    let listener = UnixListener::bind(&path).expect("a test's folder takes a socket");
    let server = tokio::spawn(serve(listener, Arc::new(answers), requests.clone()));
    let (out, err) = (Buffer::default(), Buffer::default());
    let console = Console::to(Box::new(out.clone()), Box::new(err.clone()));
    let mut context = Context { engine: Engine::new(Host::Unix(path)), console };
    let result = command(&mut context).await;
    let code = finish(result, &mut context.console);
    server.abort();
    let requests = requests.lock().expect("no answer panics").clone();
    Outcome { out: out.text(), err: err.text(), code, requests }
}

async fn serve(listener: UnixListener, answers: Arc<Answers>, requests: Requests) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, requests) = (answers.clone(), requests.clone());
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(request, answers.clone(), requests.clone())),
        ));
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
    requests: Requests,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
    let route = path.strip_prefix("/v1.50").expect("the client names its version").to_owned();
    let key = format!("{} {}", head.method, route.split('?').next().unwrap_or_default());
    let sent = serde_json::from_slice(&body).unwrap_or(Value::Null);
    requests.lock().expect("no answer panics").push((format!("{} {route}", head.method), sent));
    let missing = (404, serde_json::json!({"message": "page not found"}));
    let (status, body) = answers.get(&key).cloned().unwrap_or(missing);
    // A text stands for itself: lines of progress, or nothing.
    let body = match body {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).expect("a status and a body make an answer"))
}
