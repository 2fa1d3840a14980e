//! What the proxy says itself.

use std::time::Duration;

use http1::Refusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client may take to read an answer, and to stop sending what nobody wants.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of what nobody wants is read before the connection is given up.
const UNWANTED_BYTES_MAX: usize = 1024 * 1024;

/// Says why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    Refused(Refusal),
    /// The body of the request is none.
    BadBody,
    /// The head of the request did not come in time.
    SlowRequest,
    /// The table has no backend for the port.
    NoBackend,
    /// No backend took the connection.
    Unreachable,
    /// A backend took the request and broke.
    Broken,
    /// A backend answered what cannot be passed on.
    BadResponse(&'static str),
    /// No backend answered in time.
    SlowBackend,
}

/// Says what becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    Close,
}

impl Problem {
    pub(crate) fn status(self) -> u16 {
        match self {
            Problem::Refused(refusal) => refusal.status(),
            Problem::BadBody => 400,
            Problem::SlowRequest => 408,
            Problem::NoBackend => 503,
            Problem::Unreachable | Problem::Broken | Problem::BadResponse(_) => 502,
            Problem::SlowBackend => 504,
        }
    }

    fn reason(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "Error",
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Problem::Refused(refusal) => format!("{refusal}\n"),
            Problem::BadBody => "the chunks of the body are malformed\n".to_owned(),
            Problem::SlowRequest => "the head of the request did not come in time\n".to_owned(),
            Problem::NoBackend => "no replica of the service is ready\n".to_owned(),
            Problem::Unreachable => "no replica of the service takes connections\n".to_owned(),
            Problem::Broken => "the replica broke the connection before it answered\n".to_owned(),
            Problem::BadResponse(why) => format!("the response of the replica cannot be passed on: {why}\n"),
            Problem::SlowBackend => "the replica did not answer in time\n".to_owned(),
        }
    }

    /// Writes the whole answer; to a request for a head alone, only that.
    fn write(self, is_head: bool, then: Then) -> Vec<u8> {
        let text = self.text();
        let connection = match then {
            Then::Stay => "",
            Then::Close => "Connection: close\r\n",
        };
        let (status, reason, length) = (self.status(), self.reason(), text.len());
        let body = if is_head { "" } else { &text };
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\n{connection}\r\n{body}"
        )
        .into_bytes()
    }
}

/// Tells a client what is wrong; returns what becomes of its connection.
pub(crate) async fn tell(client: &mut TcpStream, problem: Problem, is_head: bool, then: Then) -> Then {
    let answer = problem.write(is_head, then);
    match timeout(PATIENCE, client.write_all(&answer)).await {
        Ok(Ok(())) => then,
        Ok(Err(_)) | Err(_) => Then::Close,
    }
}

/// Closes a connection on which the client may still be sending, so that it can read what it was told: bytes that
/// come to a closed socket make its kernel throw away what was not read yet.
pub(crate) async fn close(client: &mut TcpStream) {
    let read_over = async {
        client.shutdown().await?;
        let (mut buffer, mut left) = ([0; 4096], UNWANTED_BYTES_MAX);
        loop {
            let bytes = client.read(&mut buffer).await?;
            if bytes == 0 || bytes > left {
                return std::io::Result::Ok(());
            }
            left -= bytes;
        }
    };
    // However it went, the connection is closed after it.
    let _ = timeout(PATIENCE, read_over).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_says_what_is_wrong_and_what_happens_next() {
        let answer = Problem::NoBackend.write(false, Then::Stay);
        let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 35\r\n\r\n";
        assert_eq!(String::from_utf8(answer).unwrap(), format!("{head}no replica of the service is ready\n"));
        let answer = String::from_utf8(Problem::SlowBackend.write(true, Then::Close)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
        assert!(answer.ends_with("\r\nConnection: close\r\n\r\n"), "{answer}");
    }
}
