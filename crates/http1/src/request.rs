//! The head of a request: checked, and written anew for a backend.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::body::{Body, Chunking};
use crate::fields::{Length, Meaning, Meanings, Options, has_bare_line_feed, is_named, items, write};
use crate::forwarded::{Caller, write_forwarded};
use crate::{FIELDS_MAX, Refusal};

/// Is what a proxy needs to know of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// How many bytes the head had.
    pub head_bytes: usize,
    /// Where it ends.
    pub body: Body,
    /// The client's version.
    pub version: Version,
    /// The client wants to send more requests on this connection.
    pub keeps_alive: bool,
    /// The client offers to speak another protocol from here on.
    pub offers_upgrade: bool,
    /// The response has no body, whatever its head says.
    pub is_head: bool,
    /// Doing it twice is doing it once (RFC 9110 §9.2.2).
    pub is_idempotent: bool,
}

/// Is a minor version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Reads the head of a request, and writes it to `out` as a backend should see it; `None` if its end has not come.
pub fn read_request(input: &[u8], caller: &Caller, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let head_bytes = match parsed.parse_with_uninit_headers(input, &mut headers) {
        Ok(Status::Complete(bytes)) => bytes,
        Ok(Status::Partial) if has_bare_line_feed(input) => return Err(BARE),
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(refusal(error)),
    };
    if has_bare_line_feed(&input[..head_bytes]) {
        return Err(BARE);
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Ok(None);
    };
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let headers = &*parsed.headers;
    let meanings = Meanings::of(headers);
    let facts = Facts::of(headers, &meanings, version)?;
    let target = Target::of(method, target)?;
    let host = target.host.map_or(facts.host, |host| Some(host.as_bytes())).unwrap_or_default();
    if !is_host(host) {
        return Err(Refusal::Bad("the Host is malformed"));
    }
    let offers_upgrade = facts.options.upgrade && facts.upgrade.is_some() && version == Version::Http11;
    let offers_upgrade = offers_upgrade && facts.length == Length::default();

    target.write(method, out);
    // Also without a value: HTTP/1.1 demands it.
    write("Host", host, out);
    write_fields(headers, &meanings, &facts, version, out);
    write_forwarded(caller, host, headers, &meanings, out);
    if let Some(protocol) = facts.upgrade.filter(|_| offers_upgrade) {
        out.extend_from_slice(b"Connection: upgrade\r\n");
        write("Upgrade", protocol, out);
    }
    out.extend_from_slice(b"\r\n");

    let Length { bytes, is_chunked } = facts.length;
    let body = if is_chunked { Body::chunked(Chunking::Kept) } else { Body::of_length(bytes.unwrap_or(0)) };
    let keeps_alive = match version {
        Version::Http10 => facts.options.keep_alive && !facts.options.close,
        Version::Http11 => !facts.options.close,
    };
    let is_idempotent = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE");
    let is_head = method == "HEAD";
    Ok(Some(Request { head_bytes, body, version, keeps_alive, offers_upgrade, is_head, is_idempotent }))
}

const BARE: Refusal = Refusal::Bad("a line of the head ends with a line feed alone");

fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName => Refusal::Bad("the name of a field is malformed"),
        httparse::Error::HeaderValue => Refusal::Bad("the value of a field is malformed"),
        httparse::Error::NewLine => Refusal::Bad("a line of the head has no proper end"),
        httparse::Error::Status | httparse::Error::Token => Refusal::Bad("this is no request of HTTP"),
        httparse::Error::TooManyHeaders => Refusal::TooLong,
        httparse::Error::Version => Refusal::Version,
    }
}

/// Is what the fields say.
struct Facts<'h> {
    length: Length,
    options: Options,
    host: Option<&'h [u8]>,
    /// What the client offers to speak, HTTP/2 aside: that is for two neighbours to agree on, and a backend that took
    /// it would be spoken to past all checks.
    upgrade: Option<&'h [u8]>,
}

impl<'h> Facts<'h> {
    fn of(headers: &[Header<'h>], meanings: &Meanings, version: Version) -> Result<Facts<'h>, Refusal> {
        let mut facts =
            Facts { length: Length::default(), options: Options::default(), host: None, upgrade: None };
        for (meaning, header) in meanings.with(headers) {
            match meaning {
                Meaning::ContentLength => facts.length.add_bytes(header.value)?,
                Meaning::TransferEncoding if version == Version::Http10 => {
                    return Err(Refusal::Bad("HTTP/1.0 has no Transfer-Encoding"));
                }
                Meaning::TransferEncoding => facts.length.add_coding(header.value)?,
                Meaning::Connection => facts.options.add(header.value),
                Meaning::Host if facts.host.is_some() => {
                    return Err(Refusal::Bad("there is more than one Host"));
                }
                Meaning::Host => facts.host = Some(header.value),
                Meaning::Upgrade => {
                    let is_http2 = |item: &[u8]| item.to_ascii_lowercase().starts_with(b"h2");
                    if facts.upgrade.is_none() && !items(header.value).any(is_http2) {
                        facts.upgrade = Some(header.value);
                    }
                }
                Meaning::HopByHop
                | Meaning::Expect
                | Meaning::Forwarded
                | Meaning::ForwardedFor
                | Meaning::ForwardedHost
                | Meaning::ForwardedProto
                | Meaning::EndToEnd => {}
            }
        }
        if facts.host.is_none() && version == Version::Http11 {
            return Err(Refusal::Bad("there is no Host"));
        }
        Ok(facts)
    }
}

/// Is what is asked for: a path, and a host if the client named it in the same place.
struct Target<'t> {
    host: Option<&'t str>,
    /// A slash that the client left out.
    slash: &'static str,
    path: &'t str,
}

impl<'t> Target<'t> {
    fn of(method: &str, target: &'t str) -> Result<Target<'t>, Refusal> {
        if method == "CONNECT" {
            return Err(Refusal::NotImplemented("this proxy connects to no other hosts"));
        }
        if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
            return Ok(Target { host: None, slash: "", path: target });
        }
        let absolute = target.split_once("://").filter(|(scheme, _)| {
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        });
        let Some((_, rest)) = absolute else { return Err(Refusal::Bad("the target is no path")) };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        if host.is_empty() {
            return Err(Refusal::Bad("the target has no host"));
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Target { host: Some(host), slash, path })
    }

    fn write(&self, method: &str, out: &mut Vec<u8>) {
        for part in [method, " ", self.slash, self.path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Tells whether a host has only what stands in names, addresses and ports, so that it ends for all readers alike.
pub fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte))
}

fn write_fields(
    headers: &[Header<'_>],
    meanings: &Meanings,
    facts: &Facts<'_>,
    version: Version,
    out: &mut Vec<u8>,
) {
    for (meaning, header) in meanings.with(headers) {
        let goes_on = match meaning {
            // Written elsewhere, or for this connection only.
            Meaning::Connection
            | Meaning::Host
            | Meaning::Upgrade
            | Meaning::HopByHop
            | Meaning::Forwarded
            | Meaning::ForwardedFor => false,
            // Needed, whatever a client says of them in `Connection`.
            Meaning::ContentLength
            | Meaning::TransferEncoding
            | Meaning::ForwardedHost
            | Meaning::ForwardedProto => true,
            // Nobody who speaks HTTP/1.0 waits for it.
            Meaning::Expect => version == Version::Http11,
            Meaning::EndToEnd => !(facts.options.names_fields && is_named(header.name, headers)),
        };
        if goes_on {
            write(header.name, header.value, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Caller =
        Caller { client: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9) };

    fn read(input: &str) -> Result<Option<(Request, String)>, Refusal> {
        let mut out = Vec::new();
        let read = read_request(input.as_bytes(), &CALLER, &mut out)?;
        Ok(read.map(|request| (request, String::from_utf8(out).unwrap())))
    }

    /// Takes lines apart by `|`, and checks what goes on without the fields that every request is given.
    fn check(lines: &str, expected: &str) -> Request {
        let input = format!("{}\r\n\r\n", lines.replace('|', "\r\n"));
        let (request, out) = read(&input).unwrap().unwrap();
        assert_eq!(request.head_bytes, input.len());
        let given = [
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: h",
            "Forwarded: for=127.0.0.1;host=\"h\";proto=http",
        ];
        let lines = out.strip_suffix("\r\n\r\n").unwrap().split("\r\n");
        let lines: Vec<&str> = lines.filter(|line| !given.contains(line)).collect();
        assert_eq!(lines.join("|"), expected, "{input}");
        request
    }

    fn check_refused(cases: &[&str], status: u16) {
        for case in cases {
            let input = format!("{case}\r\n\r\n");
            assert_eq!(read(&input).unwrap_err().status(), status, "{input:?}");
        }
    }

    #[test]
    fn plain_request_goes_on_with_who_asked() {
        let (request, out) =
            read("GET /a?b HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\nrest").unwrap().unwrap();
        assert_eq!(
            out,
            "GET /a?b HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\nX-Forwarded-For: 127.0.0.1\r\n\
             X-Forwarded-Proto: http\r\nX-Forwarded-Host: h:80\r\n\
             Forwarded: for=127.0.0.1;host=\"h:80\";proto=http\r\n\r\n"
        );
        assert!(request.body.is_done() && request.keeps_alive && request.is_idempotent);
        assert!(!request.offers_upgrade && !request.is_head);
    }

    #[test]
    fn what_is_for_this_connection_stays_here() {
        check(
            "GET / HTTP/1.1|Host: h|Connection: close, X-Secret,|X-Secret: 1|X-Other: 2|Keep-Alive: timeout=5|TE: gzip",
            "GET / HTTP/1.1|Host: h|X-Other: 2",
        );
        check(
            "GET / HTTP/1.1|hOST:h|proxy-connection: keep-alive|Trailer: a|x: \t y \t",
            "GET / HTTP/1.1|Host: h|x: y",
        );
        // Nobody makes the proxy forget what the message needs.
        check(
            "POST / HTTP/1.1|Host: h|Connection: content-length, host|Content-Length: 3",
            "POST / HTTP/1.1|Host: h|Content-Length: 3",
        );
    }

    #[test]
    fn lists_of_proxies_grow_and_what_the_first_said_stays() {
        let input = "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3\r\n\
                     X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\nForwarded: for=1.1.1.1\r\n\r\n";
        let (_, out) = read(input).unwrap().unwrap();
        let mut lines: Vec<&str> = out.lines().skip(2).collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "",
                "Forwarded: for=1.1.1.1, for=127.0.0.1;host=\"h\";proto=http",
                "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1",
                "X-Forwarded-Host: shop",
                "X-Forwarded-Proto: https",
            ]
        );
    }

    #[test]
    fn client_is_named_in_the_form_of_its_family() {
        for (client, plain, forwarded) in [
            ("[::ffff:1.2.3.4]:5", "1.2.3.4", "for=1.2.3.4;"),
            ("[fd00::1]:5", "fd00::1", "for=\"[fd00::1]\";"),
        ] {
            let mut out = Vec::new();
            let caller = Caller { client: client.parse().unwrap() };
            read_request(b"GET / HTTP/1.0\r\n\r\n", &caller, &mut out).unwrap().unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains(&format!("\r\nX-Forwarded-For: {plain}\r\n")), "{out}");
            assert!(out.contains(&format!("\r\nForwarded: {forwarded}proto=http\r\n")), "{out}");
        }
    }

    #[test]
    fn host_in_the_target_counts() {
        check("GET http://h/p?q HTTP/1.1|Host: other", "GET /p?q HTTP/1.1|Host: h");
        check("GET HTTP://h HTTP/1.1|Host: other", "GET / HTTP/1.1|Host: h");
        check("GET http://h?q HTTP/1.1|Host: other", "GET /?q HTTP/1.1|Host: h");
        check("OPTIONS * HTTP/1.1|Host: h", "OPTIONS * HTTP/1.1|Host: h");
    }

    #[test]
    fn upgrade_is_offered_on_unless_it_is_to_http2() {
        let offered = check(
            "GET / HTTP/1.1|Host: h|Connection: keep-alive, Upgrade|Upgrade: websocket|Sec-WebSocket-Key: k",
            "GET / HTTP/1.1|Host: h|Sec-WebSocket-Key: k|Connection: upgrade|Upgrade: websocket",
        );
        assert!(offered.offers_upgrade);
        for withheld in [
            "Connection: upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMAAABkAAQAAP__",
            "Connection: upgrade|Upgrade: websocket, H2C",
            "Upgrade: websocket",
            "Connection: upgrade",
        ] {
            let request = check(&format!("GET / HTTP/1.1|Host: h|{withheld}"), "GET / HTTP/1.1|Host: h");
            assert!(!request.offers_upgrade);
        }
        let with_body = "POST / HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket|Content-Length: 1";
        assert!(!check(with_body, "POST / HTTP/1.1|Host: h|Content-Length: 1").offers_upgrade);
    }

    #[test]
    fn version_and_options_say_whether_the_connection_stays() {
        let keeps = |lines: &str| check(lines, "GET / HTTP/1.1|Host: h").keeps_alive;
        assert!(keeps("GET / HTTP/1.1|Host: h"));
        assert!(!keeps("GET / HTTP/1.1|Host: h|Connection: Close"));
        assert!(!keeps("GET / HTTP/1.0|Host: h"));
        assert!(keeps("GET / HTTP/1.0|Host: h|Connection: keep-alive"));
        assert!(!keeps("GET / HTTP/1.0|Host: h|Connection: keep-alive|Connection: close"));
    }

    #[test]
    fn head_comes_in_parts() {
        let whole = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Ok(None), "{end}");
        }
        assert!(!read(whole).unwrap().unwrap().0.body.is_done());
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        check_refused(
            &[
                // Two lengths.
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked",
                // A length that is no number.
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 1",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999",
                // Lines that end or go on in their own way.
                "POST / HTTP/1.1\nHost: h",
                "POST / HTTP/1.1\r\nHost: h\nContent-Length: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nA: b\rContent-Length: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nA: \0",
                "\nGET / HTTP/1.1\r\nHost: h",
                // Names that some trim.
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 1",
                "POST / HTTP/1.1\r\nHost: h\r\n Content-Length: 1",
                "POST / HTTP/1.1\r\nHost: h\r\n: 1",
                "POST / HTTP/1.1\r\nHost: h\r\nno colon",
                // Hosts.
                "GET / HTTP/1.1",
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a",
                "GET / HTTP/1.1\r\nHost: a b",
                "GET / HTTP/1.1\r\nHost: a,b",
                "GET / HTTP/1.1\r\nHost: a/b",
                "GET / HTTP/1.1\r\nHost: a\"b",
                "GET http://u@h/ HTTP/1.1\r\nHost: h",
                "GET http:///p HTTP/1.1\r\nHost: h",
                // Targets and requests that are none.
                "GET p HTTP/1.1\r\nHost: h",
                "GET * HTTP/1.1\r\nHost: h",
                "GET ftp://h/ HTTP/1.1\r\nHost: h",
                "GET  / HTTP/1.1\r\nHost: h",
                "GE(T / HTTP/1.1\r\nHost: h",
                "\x16\x03\x01",
                "GET /",
            ],
            400,
        );
    }

    #[test]
    fn what_is_not_for_this_proxy_has_a_status_of_its_own() {
        check_refused(&["CONNECT h:443 HTTP/1.1\r\nHost: h:443"], 501);
        for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked", "chunked;a=1", ""] {
            check_refused(&[&format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {coding}")], 501);
        }
        check_refused(
            &["GET / HTTP/2.0\r\nHost: h", "GET / HTTP/1.2\r\nHost: h", "GET /a b HTTP/1.1\r\nHost: h"],
            505,
        );
        let many = "A: b\r\n".repeat(FIELDS_MAX);
        check_refused(&[&format!("GET / HTTP/1.1\r\nHost: h\r\n{many}")], 431);
    }
}
