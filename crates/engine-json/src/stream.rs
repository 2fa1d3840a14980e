//! The frames by which several output streams share one connection.

/// How many bytes stand before each payload.
const HEADER_BYTES: usize = 8;
/// The longest payload that is believed; longer ones come from damage, not from a log line.
const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// Which stream a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A message of the daemon that ends the stream.
    SystemError,
}

impl Channel {
    const ALL: [Self; 4] = [Self::Stdin, Self::Stdout, Self::Stderr, Self::SystemError];
}

/// A piece of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The stream.
    pub channel: Channel,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Bytes that are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken stream frame: header {0:02x?}")]
pub struct BrokenFrame([u8; HEADER_BYTES]);

impl<'a> Frame<'a> {
    /// Returns the frame as it travels.
    pub fn encode(self) -> Vec<u8> {
        let length =
            u32::try_from(self.payload.len()).expect("a payload is a piece of a stream, far below 4 GiB");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend([self.channel as u8, 0, 0, 0]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.payload);
        bytes
    }

    /// Returns the first frame in `bytes` and how many bytes it takes; `None` if it is not all there yet.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, BrokenFrame> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [channel, 0, 0, 0, a, b, c, d] = *header else { return Err(BrokenFrame(*header)) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let channel = Channel::ALL.get(usize::from(channel)).filter(|_| length <= PAYLOAD_BYTES_MAX);
        let Some(channel) = channel.copied() else { return Err(BrokenFrame(*header)) };
        let end = HEADER_BYTES + length;
        Ok(bytes.get(HEADER_BYTES..end).map(|payload| (Self { channel, payload }, end)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((_, end))) = Frame::decode(&bytes) {
                prop_assert!(end <= bytes.len());
            }
        }
    }

    #[test]
    fn frames_survive_any_cut() {
        let frame = Frame { channel: Channel::Stderr, payload: b"line\n" };
        let bytes = frame.encode();

        assert_eq!(bytes[..8], [2, 0, 0, 0, 0, 0, 0, 5]);
        for cut in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..cut]), Ok(None));
        }
        assert_eq!(Frame::decode(&bytes), Ok(Some((frame, 13))));
        assert!(Frame::decode(&[9, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(Frame::decode(&[1, 0, 0, 0, 255, 0, 0, 0]).is_err());
        assert!(Frame::decode(b"HTTP/1.1 ").is_err());
    }
}
