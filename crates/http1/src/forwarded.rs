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
    let client = caller.client.ip().to_canonical();
    let mut text = Text(out);
    begin_list("X-Forwarded-For", Meaning::ForwardedFor, headers, text.0);
    // Writing to memory cannot fail.
    let _ = write!(text, "{client}\r\n");
    if !has(Meaning::ForwardedProto, headers) {
        text.0.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if !host.is_empty() && !has(Meaning::ForwardedHost, headers) {
        write("X-Forwarded-Host", host, text.0);
    }
    begin_list("Forwarded", Meaning::Forwarded, headers, text.0);
    let _ = match client {
        IpAddr::V4(address) => write!(text, "for={address};"),
        IpAddr::V6(address) => write!(text, "for=\"[{address}]\";"),
    };
    if !host.is_empty() {
        // Quoted, as a port's colon may not stand in a bare word; a host has neither quotes nor backslashes.
        text.0.extend_from_slice(b"host=\"");
        text.0.extend_from_slice(host);
        text.0.extend_from_slice(b"\";");
    }
    text.0.extend_from_slice(b"proto=http\r\n");
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
