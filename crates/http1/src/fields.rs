//! The fields of a head: which are for this connection alone, and which say where the body ends.

use httparse::Header;

use crate::FIELDS_MAX;
use crate::refusal::Refusal;

/// Is what a field means to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Connection,
    ContentLength,
    TransferEncoding,
    Host,
    Upgrade,
    /// It is for the next reader only, or speaks of one that is.
    HopByHop,
    Expect,
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// It is for the one at the other end.
    EndToEnd,
}

fn meaning(name: &str) -> Meaning {
    // By length first: most fields are told apart from all of these by that alone.
    let candidates: &[(&str, Meaning)] = match name.len() {
        2 => &[("te", Meaning::HopByHop)],
        4 => &[("host", Meaning::Host)],
        6 => &[("expect", Meaning::Expect)],
        7 => &[("upgrade", Meaning::Upgrade), ("trailer", Meaning::HopByHop)],
        9 => &[("forwarded", Meaning::Forwarded)],
        10 => &[("connection", Meaning::Connection), ("keep-alive", Meaning::HopByHop)],
        14 => &[("content-length", Meaning::ContentLength), ("http2-settings", Meaning::HopByHop)],
        15 => &[("x-forwarded-for", Meaning::ForwardedFor)],
        16 => &[("x-forwarded-host", Meaning::ForwardedHost), ("proxy-connection", Meaning::HopByHop)],
        17 => &[
            ("transfer-encoding", Meaning::TransferEncoding),
            ("x-forwarded-proto", Meaning::ForwardedProto),
        ],
        _ => &[],
    };
    let found = candidates.iter().find(|(candidate, _)| name.eq_ignore_ascii_case(candidate));
    found.map_or(Meaning::EndToEnd, |(_, meaning)| *meaning)
}

/// Is what each field of a head means, found once.
pub(crate) struct Meanings {
    each: [Meaning; FIELDS_MAX],
    /// One of these is there: most requests have none of what proxies add.
    has_forwarded: bool,
}

impl Meanings {
    pub(crate) fn of(headers: &[Header<'_>]) -> Meanings {
        let mut meanings = Meanings { each: [Meaning::EndToEnd; FIELDS_MAX], has_forwarded: false };
        for (header, place) in headers.iter().zip(&mut meanings.each) {
            *place = meaning(header.name);
            meanings.has_forwarded |= matches!(
                *place,
                Meaning::Forwarded | Meaning::ForwardedFor | Meaning::ForwardedHost | Meaning::ForwardedProto
            );
        }
        meanings
    }

    /// Pairs fields with what they mean.
    pub(crate) fn with<'a, 'h>(
        &'a self,
        headers: &'a [Header<'h>],
    ) -> impl Iterator<Item = (Meaning, &'a Header<'h>)> {
        self.each.iter().copied().zip(headers)
    }

    /// Returns the values of fields that proxies add.
    pub(crate) fn forwarded<'a>(
        &'a self,
        headers: &'a [Header<'_>],
        wanted: Meaning,
    ) -> impl Iterator<Item = &'a [u8]> {
        let headers = if self.has_forwarded { headers } else { &[] };
        self.with(headers).filter(move |(meaning, _)| *meaning == wanted).map(|(_, header)| header.value)
    }
}

/// Is what the `Connection` fields of a head ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Fields are named that are for this connection only.
    pub(crate) names_fields: bool,
}

impl Options {
    pub(crate) fn add(&mut self, value: &[u8]) {
        for option in items(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names_fields = true;
            }
        }
    }
}

/// Tells whether a `Connection` field names this field as one for the connection only.
pub(crate) fn is_named(name: &str, headers: &[Header<'_>]) -> bool {
    let connections = headers.iter().filter(|header| meaning(header.name) == Meaning::Connection);
    connections.flat_map(|header| items(header.value)).any(|item| item.eq_ignore_ascii_case(name.as_bytes()))
}

/// Returns the items of a list, without what surrounds them.
pub(crate) fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Is what the fields of a head say of where its body ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) bytes: Option<u64>,
    pub(crate) is_chunked: bool,
}

impl Length {
    /// Takes the value of a `Content-Length`; a second one is refused even if it says the same.
    pub(crate) fn add_bytes(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.bytes.is_some() {
            return Err(Refusal::Bad("there is more than one Content-Length"));
        }
        // Digits and nothing else: no sign, no list.
        let is_number = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
        if !is_number {
            return Err(Refusal::Bad("the Content-Length is no number"));
        }
        self.bytes = Some(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
        self.check()
    }

    /// Takes the value of a `Transfer-Encoding`.
    pub(crate) fn add_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(Refusal::Bad("there is more than one Transfer-Encoding"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::NotImplemented("the Transfer-Encoding is not chunked alone"));
        }
        self.is_chunked = true;
        self.check()
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.is_chunked && self.bytes.is_some() {
            return Err(Refusal::Bad("there are both Content-Length and Transfer-Encoding"));
        }
        Ok(())
    }
}

/// Tells whether a line of the head ends without a carriage return, where some readers see an end and others do not.
pub(crate) fn has_bare_line_feed(head: &[u8]) -> bool {
    head.first() == Some(&b'\n')
        || head.iter().zip(head.iter().skip(1)).any(|(before, byte)| *byte == b'\n' && *before != b'\r')
}

/// Writes a field.
pub(crate) fn write(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
