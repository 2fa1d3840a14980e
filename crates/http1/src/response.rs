//! The head of a response: checked, and written anew for the client.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::body::{Body, Chunking};
use crate::fields::{Length, Meaning, Meanings, Options, has_bare_line_feed, is_named, write};
use crate::refusal::BadResponse;
use crate::request::Version;
use crate::{FIELDS_MAX, Refusal};

/// Is what a response has to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The client's version.
    pub version: Version,
    /// The request was one for a head alone.
    pub is_head: bool,
    /// The client offered to speak another protocol.
    pub offers_upgrade: bool,
    /// The client's connection stays for more requests.
    pub keeps_alive: bool,
}

/// Is what a proxy needs to know of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// How many bytes the head had.
    pub head_bytes: usize,
    /// Its status.
    pub status: u16,
    /// Where it ends.
    pub body: Body,
    /// The backend's connection takes more requests.
    pub keeps_alive: bool,
    /// The client's connection stays for more requests, and was told so.
    pub keeps_client: bool,
}

impl Response {
    /// Tells whether another response to the same request follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && !self.is_upgrade()
    }

    /// Tells whether both ends speak another protocol from here on.
    pub fn is_upgrade(&self) -> bool {
        self.status == 101
    }
}

/// Reads the head of a response, and writes it to `out` as the client should see it; `None` if its end has not come.
pub fn read_response(
    input: &[u8],
    reply: &Reply,
    out: &mut Vec<u8>,
) -> Result<Option<Response>, BadResponse> {
    let mut headers = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let parse = httparse::ParserConfig::default();
    let parsing = parse.parse_response_with_uninit_headers(&mut parsed, input, &mut headers);
    let head_bytes = match parsing {
        Ok(Status::Complete(bytes)) => bytes,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(BadResponse("its head is malformed")),
    };
    if has_bare_line_feed(&input[..head_bytes]) {
        return Err(BadResponse("a line of its head ends with a line feed alone"));
    }
    let (Some(status), Some(minor)) = (parsed.code, parsed.version) else { return Ok(None) };
    let headers = &*parsed.headers;
    let meanings = Meanings::of(headers);
    let facts = Facts::of(headers, &meanings)?;
    check_status(status, reply)?;
    let body = facts.body(status, reply);
    let is_final = status >= 200;
    let keeps_client = reply.keeps_alive && !body.ends_with_connection() && !facts.loses_end(reply, body);
    let options = facts.options;
    let keeps_alive = if minor == 0 { options.keep_alive } else { !options.close };
    let keeps_alive = keeps_alive && !body.ends_with_connection();

    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[
        48 + (status / 100) as u8,
        48 + (status / 10 % 10) as u8,
        48 + (status % 10) as u8,
    ]);
    out.push(b' ');
    out.extend_from_slice(parsed.reason.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    facts.write(headers, &meanings, status, reply, out);
    if is_final && !keeps_client {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if is_final && reply.version == Version::Http10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(Some(Response { head_bytes, status, body, keeps_alive, keeps_client }))
}

fn check_status(status: u16, reply: &Reply) -> Result<(), BadResponse> {
    match status {
        101 if !reply.offers_upgrade => Err(BadResponse("it changes the protocol unasked")),
        100..=999 => Ok(()),
        _ => Err(BadResponse("its status is no status")),
    }
}

/// Is what the fields say.
struct Facts {
    length: Length,
    options: Options,
}

impl Facts {
    fn of(headers: &[Header<'_>], meanings: &Meanings) -> Result<Facts, BadResponse> {
        let mut facts = Facts { length: Length::default(), options: Options::default() };
        for (meaning, header) in meanings.with(headers) {
            let taken = match meaning {
                Meaning::ContentLength => facts.length.add_bytes(header.value),
                Meaning::TransferEncoding => facts.length.add_coding(header.value),
                Meaning::Connection => {
                    facts.options.add(header.value);
                    Ok(())
                }
                Meaning::Host
                | Meaning::Upgrade
                | Meaning::HopByHop
                | Meaning::Expect
                | Meaning::Forwarded
                | Meaning::ForwardedFor
                | Meaning::ForwardedHost
                | Meaning::ForwardedProto
                | Meaning::EndToEnd => Ok(()),
            };
            taken.map_err(|refusal| match refusal {
                Refusal::Bad(why) | Refusal::NotImplemented(why) => BadResponse(why),
                Refusal::TooLong | Refusal::Version => BadResponse("its head is malformed"),
            })?;
        }
        Ok(facts)
    }

    /// Returns where the body ends (RFC 9112 §6.3).
    fn body(&self, status: u16, reply: &Reply) -> Body {
        let chunking = match reply.version {
            Version::Http10 => Chunking::Removed,
            Version::Http11 => Chunking::Kept,
        };
        match self.length {
            _ if reply.is_head || status < 200 || status == 204 || status == 304 => Body::empty(),
            Length { is_chunked: true, .. } => Body::chunked(chunking),
            Length { bytes: Some(bytes), .. } => Body::of_length(bytes),
            Length { bytes: None, .. } => Body::until_close(),
        }
    }

    /// Writes the fields that go on.
    fn write(
        &self,
        headers: &[Header<'_>],
        meanings: &Meanings,
        status: u16,
        reply: &Reply,
        out: &mut Vec<u8>,
    ) {
        // Neither interim responses nor those without content say where one ends (RFC 9110 §8.6, RFC 9112 §6.1).
        let has_end = status >= 200 && status != 204;
        for (meaning, header) in meanings.with(headers) {
            let goes_on = match meaning {
                Meaning::Connection | Meaning::HopByHop => false,
                Meaning::Upgrade => status == 101,
                Meaning::TransferEncoding => has_end && reply.version == Version::Http11,
                Meaning::ContentLength => has_end,
                Meaning::Host
                | Meaning::Expect
                | Meaning::Forwarded
                | Meaning::ForwardedFor
                | Meaning::ForwardedHost
                | Meaning::ForwardedProto
                | Meaning::EndToEnd => !(self.options.names_fields && is_named(header.name, headers)),
            };
            if goes_on {
                write(header.name, header.value, out);
            }
        }
        if status == 101 {
            out.extend_from_slice(b"Connection: upgrade\r\n");
        }
    }

    /// Tells whether the client can see the end of the body only by that of the connection.
    fn loses_end(&self, reply: &Reply, body: Body) -> bool {
        self.length.is_chunked && reply.version == Version::Http10 && !body.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Reply =
        Reply { version: Version::Http11, is_head: false, offers_upgrade: false, keeps_alive: true };
    const OLD: Reply = Reply { version: Version::Http10, ..PLAIN };
    const HEAD: Reply = Reply { is_head: true, ..PLAIN };
    const LAST: Reply = Reply { keeps_alive: false, ..PLAIN };
    const UPGRADE: Reply = Reply { offers_upgrade: true, ..PLAIN };

    fn read(lines: &str, reply: &Reply) -> Result<(Response, String), BadResponse> {
        let input = format!("{}\r\n\r\n", lines.replace('|', "\r\n"));
        let mut out = Vec::new();
        let response = read_response(input.as_bytes(), reply, &mut out)?.unwrap();
        assert_eq!(response.head_bytes, input.len());
        let out = String::from_utf8(out).unwrap();
        Ok((response, out.strip_suffix("\r\n\r\n").unwrap().replace("\r\n", "|")))
    }

    /// Checks what goes on, and then: the bytes of the body (`c` in chunks, `-` until the end of the connection), and
    /// whether the backend's and the client's connection stay.
    fn check(lines: &str, reply: &Reply, expected: &str, facts: &str) {
        let (response, out) = read(lines, reply).unwrap();
        assert_eq!(out, expected, "{lines}");
        let body = match response.body {
            body if body.ends_with_connection() => "-".to_owned(),
            body if body.plain_bytes() == 0 && !body.is_done() => "c".to_owned(),
            body => body.plain_bytes().to_string(),
        };
        let word = |stays: bool| if stays { "stays" } else { "ends" };
        let seen = format!("{body} {} {}", word(response.keeps_alive), word(response.keeps_client));
        assert_eq!(seen, facts, "{lines}");
    }

    #[test]
    fn head_goes_on_without_what_is_for_one_connection() {
        check(
            "HTTP/1.1 200 OK|Server: a|Connection: keep-alive, x-hop|X-Hop: 1|Keep-Alive: timeout=5|Content-Length: 5",
            &PLAIN,
            "HTTP/1.1 200 OK|Server: a|Content-Length: 5",
            "5 stays stays",
        );
        check(
            "HTTP/1.1 404 |A: b|Content-Length: 0",
            &PLAIN,
            "HTTP/1.1 404 |A: b|Content-Length: 0",
            "0 stays stays",
        );
        check(
            "HTTP/1.1 200 OK|Upgrade: h2c|Transfer-Encoding: chunked",
            &PLAIN,
            "HTTP/1.1 200 OK|Transfer-Encoding: chunked",
            "c stays stays",
        );
    }

    #[test]
    fn end_of_the_body_decides_over_both_connections() {
        let none = "HTTP/1.1 200 OK";
        check(none, &PLAIN, "HTTP/1.1 200 OK|Connection: close", "- ends ends");
        check(
            "HTTP/1.1 200 OK|Connection: close|Content-Length: 1",
            &PLAIN,
            "HTTP/1.1 200 OK|Content-Length: 1",
            "1 ends stays",
        );
        check(
            "HTTP/1.1 200 OK|Content-Length: 1",
            &LAST,
            "HTTP/1.1 200 OK|Content-Length: 1|Connection: close",
            "1 stays ends",
        );
        check(
            "HTTP/1.0 200 OK|Content-Length: 1",
            &PLAIN,
            "HTTP/1.1 200 OK|Content-Length: 1",
            "1 ends stays",
        );
        check(
            "HTTP/1.0 200 OK|Connection: Keep-Alive|Content-Length: 1",
            &PLAIN,
            "HTTP/1.1 200 OK|Content-Length: 1",
            "1 stays stays",
        );
    }

    #[test]
    fn client_of_the_old_version_gets_no_chunks() {
        check(
            "HTTP/1.1 200 OK|Transfer-Encoding: chunked",
            &OLD,
            "HTTP/1.1 200 OK|Connection: close",
            "c stays ends",
        );
        check(
            "HTTP/1.1 200 OK|Content-Length: 2",
            &OLD,
            "HTTP/1.1 200 OK|Content-Length: 2|Connection: keep-alive",
            "2 stays stays",
        );
    }

    #[test]
    fn some_responses_have_no_body_whatever_they_say() {
        let length = "Content-Length: 7";
        check(
            &format!("HTTP/1.1 200 OK|{length}"),
            &HEAD,
            &format!("HTTP/1.1 200 OK|{length}"),
            "0 stays stays",
        );
        check(
            &format!("HTTP/1.1 304 N|{length}"),
            &PLAIN,
            &format!("HTTP/1.1 304 N|{length}"),
            "0 stays stays",
        );
        check(&format!("HTTP/1.1 204 N|{length}"), &PLAIN, "HTTP/1.1 204 N", "0 stays stays");
        check("HTTP/1.1 204 N|Transfer-Encoding: chunked", &PLAIN, "HTTP/1.1 204 N", "0 stays stays");
        check("HTTP/1.1 100 Continue", &PLAIN, "HTTP/1.1 100 Continue", "0 stays stays");
        check("HTTP/1.1 103 Early|Link: a", &LAST, "HTTP/1.1 103 Early|Link: a", "0 stays ends");
    }

    #[test]
    fn protocol_changes_only_if_that_was_offered() {
        let (response, out) =
            read("HTTP/1.1 101 S|Upgrade: websocket|Connection: Upgrade|Sec-A: b", &UPGRADE).unwrap();
        assert_eq!(out, "HTTP/1.1 101 S|Upgrade: websocket|Sec-A: b|Connection: upgrade");
        assert!(response.is_upgrade() && !response.is_interim());
        assert!(read("HTTP/1.1 101 S|Upgrade: websocket|Connection: Upgrade", &PLAIN).is_err());
    }

    #[test]
    fn response_that_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "HTTP/1.1 200 OK|Content-Length: 1|Content-Length: 1",
            "HTTP/1.1 200 OK|Content-Length: 1|Transfer-Encoding: chunked",
            "HTTP/1.1 200 OK|Content-Length: 1, 1",
            "HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked",
            "HTTP/1.1 200 OK|A: b| c",
            "HTTP/1.1 200 OK|A: b\nContent-Length: 1",
            "HTTP/1.1 200 OK\nA: b",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 099 OK",
            "HTTP/2.0 200 OK",
            "SSH-2.0-OpenSSH",
        ] {
            assert!(read(bad, &PLAIN).is_err(), "{bad}");
        }
    }
}
