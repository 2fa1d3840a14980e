//! Answers.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use engine_json::{ApiVersion, Progress};
use futures_util::{Stream, StreamExt};
use http::{StatusCode, header};
use serde::Serialize;

use crate::engine::ByteStream;
use crate::request::Version;

/// Answers with JSON. The content type has no charset: the Go client reads error texts only from
/// exactly this one.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            typed(status, "application/json", Body::from(bytes))
        }
        Err(error) => typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Body::from(error.to_string())),
    }
}

/// Answers 200 with JSON.
pub(crate) fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

/// Answers 200 without a body.
pub(crate) fn empty() -> Response {
    let mut response = bare(StatusCode::OK);
    response.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("0"));
    response
}

/// Answers 204, which has no body.
pub(crate) fn no_content() -> Response {
    bare(StatusCode::NO_CONTENT)
}

/// Answers with a status that has no body.
pub(crate) fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Answers 200 with bytes as they come.
pub(crate) fn stream(
    content_type: &'static str,
    bytes: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    typed(StatusCode::OK, content_type, Body::from_stream(bytes.map(Ok::<_, std::convert::Infallible>)))
}

/// Answers 200 with an archive; an error breaks the answer off.
pub(crate) fn archive(content_type: &'static str, bytes: ByteStream) -> Response {
    typed(StatusCode::OK, content_type, Body::from_stream(bytes))
}

/// Returns the content type of a program's output.
pub(crate) fn output_type(is_raw: bool, version: Version) -> &'static str {
    if !is_raw && version.0 >= ApiVersion::new(1, 42) {
        "application/vnd.docker.multiplexed-stream"
    } else {
        "application/vnd.docker.raw-stream"
    }
}

/// Answers with progress, one JSON object a line.
pub(crate) fn progress(records: impl Stream<Item = Progress> + Send + 'static) -> Response {
    stream("application/json", records.map(|record| record.to_line().into()))
}

fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
