//! What a single request came to, before anyone knows what it was for.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::pace::Pace;

/// What is read of a refusal; reasons are short.
const REASON_BYTES_MAX: usize = 64 << 10;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not come to an answer.
    Request(reqwest::Error),
    /// No answer came in time.
    Stalled(Duration),
    /// The answer is no.
    Refused(Refusal),
    /// The authority the registry sends its clients to is not to be trusted with a password.
    PlainRealm(String),
    /// The answer is nothing one can use.
    Nonsense(String),
}

/// An answer that is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The registry's own word for it, such as `MANIFEST_UNKNOWN`; empty if it gives none.
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
    /// As authorities write it.
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Lets a good answer pass, and reads the reason of any other.
pub(crate) async fn check(response: Response, patience: Duration) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // A refusal without its reason is a refusal all the same.
    let body = read(response, REASON_BYTES_MAX, patience).await.unwrap_or_default();
    Err(Failure::Refused(refusal(status, &body)))
}

/// Reads an answer that is meant to be short.
pub(crate) async fn read(
    mut response: Response,
    bytes_max: usize,
    patience: Duration,
) -> Result<Vec<u8>, Failure> {
    let mut pace = Pace::new(patience);
    let mut bytes = Vec::new();
    loop {
        let piece = pace.wait(response.chunk()).await.map_err(|_stalled| Failure::Stalled(patience))?;
        let Some(piece) = piece.map_err(Failure::Request)? else { return Ok(bytes) };
        pace.moved(piece.len());
        bytes.extend_from_slice(&piece);
        if bytes.len() > bytes_max {
            return Err(Failure::Nonsense(format!("its answer is longer than {bytes_max} bytes")));
        }
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let envelope = serde_json::from_slice::<Envelope>(body).ok();
    let first = envelope.as_ref().and_then(|envelope| envelope.errors.first());
    let details = envelope.as_ref().map(|envelope| envelope.details.as_str()).filter(|text| !text.is_empty());
    let code = first.map(|entry| entry.code.clone()).unwrap_or_default();
    let message = match (first, details) {
        (Some(entry), _) if !entry.message.is_empty() => one_line(&entry.message),
        (_, Some(details)) => one_line(details),
        (_, None) => default_message(status).to_owned(),
    };
    Refusal { status, code, message }
}

/// In the words registries use where they say anything.
fn default_message(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication required",
        StatusCode::FORBIDDEN => "requested access to the resource is denied",
        StatusCode::NOT_FOUND => "manifest unknown",
        other => other.canonical_reason().unwrap_or("unknown"),
    }
}

/// What a stranger writes is shown, but not as lines of its own.
fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, code: &str, message: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        let expected = Refusal { status, code: code.to_owned(), message: message.to_owned() };

        assert_eq!(refusal(status, body.as_bytes()), expected, "{status} {body}");
    }

    #[test]
    fn reasons_of_real_registries_are_understood() {
        check(
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
            "MANIFEST_UNKNOWN",
            "manifest unknown",
        );
        check(401, r#"{"details":"incorrect username or password"}"#, "", "incorrect username or password");
        check(401, "", "", "authentication required");
        check(403, "<html>", "", "requested access to the resource is denied");
        check(500, r#"{"errors":[]}"#, "", "Internal Server Error");
        check(500, r#"{"errors":[{"message":"two\nlines\u001b[0m"}]}"#, "", "two lines [0m");
    }
}
