//! Who asked, as backends are told: RFC 7239 and the fields that came before it.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use httparse::Header;

use crate::fields::{Meaning, Meanings, write};

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
pub(crate) fn write_forwarded(
    caller: &Caller,
    host: &[u8],
    headers: &[Header<'_>],
    meanings: &Meanings,
    out: &mut Vec<u8>,
) {
    let known = |wanted| meanings.forwarded(headers, wanted);
    begin_list(b"X-Forwarded-For: ", known(Meaning::ForwardedFor), out);
    caller.write_address(out);
    out.extend_from_slice(b"\r\n");
    if known(Meaning::ForwardedProto).next().is_none() {
        out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if !host.is_empty() && known(Meaning::ForwardedHost).next().is_none() {
        write("X-Forwarded-Host", host, out);
    }
    begin_list(b"Forwarded: ", known(Meaning::Forwarded), out);
    caller.write_element(host, out);
    out.extend_from_slice(b"\r\n");
}

impl Caller {
    /// Writes the client's address as `X-Forwarded-For` has it.
    pub fn write_address(&self, out: &mut Vec<u8>) {
        match self.client.ip().to_canonical() {
            IpAddr::V4(address) => write_ipv4(address, out),
            // Writing to memory cannot fail.
            IpAddr::V6(address) => drop(write!(Text(out), "{address}")),
        }
    }

    /// Writes an element of `Forwarded`.
    pub fn write_element(&self, host: &[u8], out: &mut Vec<u8>) {
        match self.client.ip().to_canonical() {
            IpAddr::V4(address) => {
                out.extend_from_slice(b"for=");
                write_ipv4(address, out);
                out.push(b';');
            }
            IpAddr::V6(address) => drop(write!(Text(out), "for=\"[{address}]\";")),
        }
        if !host.is_empty() {
            // Quoted, as a port's colon may not stand in a bare word; a host has neither quotes nor backslashes.
            out.extend_from_slice(b"host=\"");
            out.extend_from_slice(host);
            out.extend_from_slice(b"\";");
        }
        out.extend_from_slice(b"proto=http");
    }
}

/// Writes an address, without the detour of the general way, which is seen in a profile.
fn write_ipv4(address: Ipv4Addr, out: &mut Vec<u8>) {
    for (index, number) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if number >= 100 {
            out.push(b'0' + number / 100);
        }
        if number >= 10 {
            out.push(b'0' + number / 10 % 10);
        }
        out.push(b'0' + number % 10);
    }
}

/// Writes a list's name and the values it has so far, ready for one more.
fn begin_list<'v>(name: &[u8], known: impl Iterator<Item = &'v [u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    for value in known.filter(|value| !value.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

struct Text<'o>(&'o mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for address in ["0.0.0.0", "1.20.255.100", "9.10.99.199", "105.50.5.0"] {
            let mut out = Vec::new();
            write_ipv4(address.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), address);
        }
    }
}
