//! A client of HTTP/1.1, as small as asking a daemon and a replica needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Long enough for an image to be loaded on a busy machine.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(120);

/// A connection that asks one thing after the other.
pub struct Connection<S> {
    stream: BufReader<S>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the body as text, whatever it holds.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}

/// What is sent along.
pub enum Body<'a> {
    Nothing,
    Json(&'a str),
    Tar(&'a [u8]),
}

impl Connection<UnixStream> {
    /// Connects to the socket of a daemon.
    pub fn to_socket(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }
}

impl Connection<TcpStream> {
    /// Connects to a port; every wait is bounded.
    pub fn to_port(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        Ok(Self { stream: BufReader::new(stream) })
    }
}

impl<S: Read + Write> Connection<S> {
    /// Asks and reads the whole answer.
    pub fn ask(&mut self, method: &str, path: &str, body: &Body<'_>) -> io::Result<Answer> {
        let (kind, bytes): (_, &[u8]) = match body {
            Body::Nothing => ("", &[]),
            Body::Json(text) => ("Content-Type: application/json\r\n", text.as_bytes()),
            Body::Tar(bytes) => ("Content-Type: application/x-tar\r\n", bytes),
        };
        let length = bytes.len();
        // One write, so that a request is one packet where that is possible.
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: drover\r\n{kind}Content-Length: {length}\r\n\r\n")
                .into_bytes();
        request.extend_from_slice(bytes);
        self.stream.get_mut().write_all(&request)?;
        self.read_answer()
    }

    fn read_answer(&mut self) -> io::Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| unreadable(&first))?;
        let (mut length, mut is_chunked) = (None, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().ok(),
                Some(("transfer-encoding", value)) => is_chunked = value.trim() == "chunked",
                Some(_other) => {}
                None if line.is_empty() => break,
                None => return Err(unreadable(&line)),
            }
        }
        let body = match (is_chunked, length) {
            (true, _) => self.chunks()?,
            (false, Some(length)) => self.exactly(length)?,
            (false, None) if matches!(status, 204 | 304) => Vec::new(),
            (false, None) => {
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body)?;
                body
            }
        };
        Ok(Answer { status, body })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(|_| unreadable(&line))?;
            body.extend(self.exactly(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn unreadable(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP answer: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with what was prepared, whatever is asked.
    struct Script(io::Cursor<&'static [u8]>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(answers: &'static str, expected: &[(u16, &str)]) {
        let mut connection =
            Connection { stream: BufReader::new(Script(io::Cursor::new(answers.as_bytes()))) };
        for (status, body) in expected {
            let answer = connection.ask("GET", "/", &Body::Nothing).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (*status, *body));
        }
    }

    #[test]
    fn answers_end_where_they_say() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\ngone",
            &[(200, "ok"), (201, "abcd"), (204, ""), (404, "gone")],
        );
    }
}
