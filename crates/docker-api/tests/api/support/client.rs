//! Plain HTTP over the socket.

use bytes::{Bytes, BytesMut};
use http::request::Builder;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Host, PATIENCE};

/// An answer that has ended.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Returns the text of an error, which must be what the Go client can read.
    pub fn error(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/json");
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        (self.status, body["message"].as_str().unwrap().to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Host {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Bytes::new()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path), Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request, body.to_string()).await
    }

    pub async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        let response = self.open(request, body).await;
        let (parts, body) = response.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("the answer ends").unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Returns the answer as soon as its headers are there.
    pub async fn open(&self, request: Builder, body: impl Into<Bytes>) -> Response<Incoming> {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        drop(tokio::spawn(connection));
        let request = request.header("host", "docker").body(Full::new(body.into())).unwrap();
        timeout(PATIENCE, sender.send_request(request)).await.expect("headers come at once").unwrap()
    }

    /// Opens an endless answer of lines.
    pub async fn lines(&self, path: &str) -> Lines {
        let response = self.open(Request::get(path), Bytes::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
        Lines { body: response.into_body(), rest: BytesMut::new() }
    }

    /// Makes a service and returns its id.
    pub async fn create(&self, spec: &Value) -> String {
        let created = self.post("/services/create", spec).await;
        assert_eq!(created.status, 201, "{:?}", created.body);
        created.json()["ID"].as_str().unwrap().to_owned()
    }
}

/// An answer that goes on.
pub struct Lines {
    body: Incoming,
    rest: BytesMut,
}

impl Lines {
    /// Returns the next line as JSON; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1);
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let part = self.part().await?;
            self.rest.extend_from_slice(&part);
        }
    }

    /// Returns the next bytes as they come.
    pub async fn part(&mut self) -> Option<Bytes> {
        let frame = timeout(PATIENCE, self.body.frame()).await.expect("something comes");
        frame.map(|frame| frame.unwrap().into_data().unwrap())
    }
}
