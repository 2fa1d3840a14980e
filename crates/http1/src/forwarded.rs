//! Who asked, as backends are told: RFC 7239 and the fields that came before it.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use httparse::Header;

use crate::fields::{Meaning, meaning, write};

/// Is the one whose request is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The client's address, as the proxy sees it.
    pub client: SocketAddr,
}

/// Writes the fields that tell who asked, after what proxies before this one said.
///
/// Lists are appended to. A protocol and a host that were told already are kept: the first proxy knows them, and a
/// client that lies about them could lie in `Host` as well.
pub(crate) fn write_forwarded(caller: &Caller, host: &[u8], headers: &[Header<'_>], out: &mut Vec<u8>) {
    begin_list("X-Forwarded-For", Meaning::ForwardedFor, headers, out);
    caller.write_address(out);
    out.extend_from_slice(b"\r\n");
    if !has(Meaning::ForwardedProto, headers) {
        out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if !host.is_empty() && !has(Meaning::ForwardedHost, headers) {
        write("X-Forwarded-Host", host, out);
    }
    begin_list("Forwarded", Meaning::Forwarded, headers, out);
    caller.write_element(host, out);
    out.extend_from_slice(b"\r\n");
}

impl Caller {
    /// Writes the client's address as `X-Forwarded-For` has it.
    pub fn write_address(&self, out: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = write!(Text(out), "{}", self.client.ip().to_canonical());
    }

    /// Writes an element of `Forwarded`.
    pub fn write_element(&self, host: &[u8], out: &mut Vec<u8>) {
        let _ = match self.client.ip().to_canonical() {
            IpAddr::V4(address) => write!(Text(out), "for={address};"),
            IpAddr::V6(address) => write!(Text(out), "for=\"[{address}]\";"),
        };
        if !host.is_empty() {
            // Quoted, as a port's colon may not stand in a bare word; a host has neither quotes nor backslashes.
            out.extend_from_slice(b"host=\"");
            out.extend_from_slice(host);
            out.extend_from_slice(b"\";");
        }
        out.extend_from_slice(b"proto=http");
    }
}

/// Writes a list's name and the values it has so far, ready for one more.
fn begin_list(name: &str, wanted: Meaning, headers: &[Header<'_>], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for header in headers.iter().filter(|header| meaning(header.name) == wanted && !header.value.is_empty()) {
        out.extend_from_slice(header.value);
        out.extend_from_slice(b", ");
    }
}

fn has(wanted: Meaning, headers: &[Header<'_>]) -> bool {
    headers.iter().any(|header| meaning(header.name) == wanted)
}

struct Text<'o>(&'o mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
