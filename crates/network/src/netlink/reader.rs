//! Reads what the kernel sends: messages of a buffer and attributes of a message.
//!
//! Only the few fields in use are read, by position, so that a newer kernel's longer messages do no harm.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

const HEADER_BYTES: usize = 16;

/// Is one message of a received buffer.
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

impl Message<'_> {
    /// Reads the payload of an acknowledgement; `None` is success.
    pub(crate) fn errno(&self) -> Option<io::Error> {
        match u32_at(self.payload, 0).map(|code| code as i32) {
            Some(0) => None,
            Some(code) => Some(io::Error::from_raw_os_error(code.wrapping_neg())),
            None => Some(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is cut off")),
        }
    }
}

/// Walks over the messages of a received buffer.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Messages<'a> {
        Messages { rest }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = u32_at(self.rest, 0)? as usize;
        let message = self.rest.get(..length).filter(|message| message.len() >= HEADER_BYTES)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16_at(message, 4)?,
            sequence: u32_at(message, 8)?,
            payload: &message[HEADER_BYTES..],
        })
    }
}

/// Walks over the attributes that follow a message's fixed part, as (kind, value).
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(crate) fn after(fixed_bytes: usize, payload: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: payload.get(fixed_bytes..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        /// The upper two bits say how the value is laid out.
        const KIND_MASK: u16 = 0x3fff;
        let length = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & KIND_MASK;
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads an address of four or sixteen bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Reads an IPv4 address.
pub(crate) fn address_v4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

/// Reads text that ends with a zero byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_off_buffers_end_the_walk() {
        let mut whole = Vec::new();
        for sequence in [7u32, 8] {
            whole.extend(20u32.to_ne_bytes());
            whole.extend([2, 0, 0, 0]);
            whole.extend(sequence.to_ne_bytes());
            whole.extend([0; 4]);
            whole.extend((-17i32).to_ne_bytes());
        }

        let read: Vec<_> =
            Messages::new(&whole).map(|m| (m.sequence, m.errno().unwrap().raw_os_error())).collect();

        assert_eq!(read, [(7, Some(17)), (8, Some(17))]);
        for length in 0..whole.len() {
            let seen = Messages::new(&whole[..length]).count();
            assert_eq!(seen, length / 20, "{length}");
        }
    }

    #[test]
    fn attribute_with_impossible_length_ends_the_walk() {
        let good = [8u8, 0, 1, 0x80, 1, 2, 3, 4];
        let short = [2u8, 0, 1, 0];
        let long = [200u8, 0, 1, 0, 9];

        assert_eq!(Attributes::after(0, &good).collect::<Vec<_>>(), [(1, &[1u8, 2, 3, 4][..])]);
        assert_eq!(Attributes::after(0, &short).count(), 0);
        assert_eq!(Attributes::after(0, &long).count(), 0);
        assert_eq!(Attributes::after(100, &good).count(), 0);
    }
}
