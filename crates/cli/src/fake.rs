//! A daemon that answers from a list, for tests of requests and output.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixListener;

use crate::console::Console;
use crate::engine::Engine;
use crate::{Context, Host, Verb};

/// What a command did.
pub(crate) struct Outcome {
    pub out: String,
    pub err: String,
    /// Each request as `METHOD PATH?QUERY`, with its body.
    pub requests: Vec<(String, Value)>,
}

/// Answers by `METHOD PATH`, without version and query.
pub(crate) type Answers = BTreeMap<String, (u16, Value)>;

#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Reads answers from pairs of `METHOD PATH` and a body, all with status 200.
pub(crate) fn answers<const N: usize>(pairs: [(&str, Value); N]) -> Answers {
    pairs.into_iter().map(|(route, body)| (route.to_owned(), (200, body))).collect()
}

/// Runs a command line, words cut at spaces, against a daemon that knows these answers.
pub(crate) async fn run(line: &str, answers: Answers) -> Outcome {
    run_words(&line.split_whitespace().collect::<Vec<_>>(), answers).await
}

/// Runs a command line against a daemon that knows these answers.
pub(crate) async fn run_words(words: &[&str], answers: Answers) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.sock");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let server = tokio::spawn(serve(UnixListener::bind(&path).unwrap(), Arc::new(answers), requests.clone()));
    let (out, err) = (Buffer::default(), Buffer::default());
    let console = Console::to(Box::new(out.clone()), Box::new(err.clone()));
    let mut context = Context { engine: Engine::new(Host::Unix(path)), console };
    let words = std::iter::once("drover").chain(words.iter().copied());
    match Program::try_parse_from(words) {
        Ok(program) => {
            let result = program.verb.run(&mut context, || clap::Command::new("drover")).await;
            crate::finish(result, &mut context.console);
        }
        Err(error) => context.console.complain(&error.to_string()),
    }
    server.abort();
    let requests = requests.lock().unwrap().clone();
    Outcome { out: out.text(), err: err.text(), requests }
}

async fn serve(listener: UnixListener, answers: Arc<Answers>, requests: Arc<Mutex<Vec<(String, Value)>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
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
    requests: Arc<Mutex<Vec<(String, Value)>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let route = head.uri.path_and_query().unwrap().as_str().strip_prefix("/v1.50").unwrap().to_owned();
    let key = format!("{} {}", head.method, route.split('?').next().unwrap());
    requests
        .lock()
        .unwrap()
        .push((format!("{} {route}", head.method), serde_json::from_slice(&body).unwrap_or(Value::Null)));
    let missing = (404, serde_json::json!({"message": "page not found"}));
    let (status, body) = answers.get(&key).cloned().unwrap_or(missing);
    // A text stands for itself: lines of progress, or nothing.
    let body = match body {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).unwrap())
}
