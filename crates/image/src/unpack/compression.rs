//! Unpacks gzip and zstd streams, telling them apart by their first bytes.

use std::io::{self, Chain, Cursor, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Returns the plain stream inside, whatever its compression.
pub fn decompress<'a>(mut reader: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut start = Vec::with_capacity(6);
    reader.by_ref().take(6).read_to_end(&mut start)?;
    let whole = Cursor::new(start.clone()).chain(reader);
    match start.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::read::MultiGzDecoder::new(whole))),
        [a, b, c, d, ..] if [*a, *b, *c, *d] == ZSTD || is_skippable([*a, *b, *c, *d]) => {
            Ok(Box::new(ZstdFrames { state: Some(State::Between(whole)) }))
        }
        [b'B', b'Z', b'h', ..] => Err(unsupported("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(unsupported("xz")),
        _ => Ok(Box::new(whole)),
    }
}

fn unsupported(name: &str) -> io::Error {
    let text = format!("{name} compression is not supported; use gzip, zstd or none");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

fn is_skippable(magic: [u8; 4]) -> bool {
    u32::from_le_bytes(magic) & 0xffff_fff0 == 0x184d_2a50
}

/// Reads all frames of a zstd stream; builders that allow lazy pulling write many, some of them to be skipped.
struct ZstdFrames<R: Read> {
    state: Option<State<R>>,
}

type Frame<R> = StreamingDecoder<Chain<Cursor<[u8; 4]>, R>, FrameDecoder>;

enum State<R: Read> {
    Between(R),
    Inside(Box<Frame<R>>),
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state.take() {
                None => return Ok(0),
                Some(State::Inside(mut frame)) => {
                    let count = frame.read(buffer)?;
                    if count > 0 {
                        self.state = Some(State::Inside(frame));
                        return Ok(count);
                    }
                    self.state = Some(State::Between(frame.into_inner().into_inner().1));
                }
                Some(State::Between(reader)) => self.state = next_frame(reader)?,
            }
        }
    }
}

fn next_frame<R: Read>(mut reader: R) -> io::Result<Option<State<R>>> {
    let mut start = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut start)?;
    let magic = match start[..] {
        [] => return Ok(None),
        [a, b, c, d] => [a, b, c, d],
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    if is_skippable(magic) {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        if io::copy(&mut reader.by_ref().take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(Some(State::Between(reader)));
    }
    let frame = StreamingDecoder::new(Cursor::new(magic).chain(reader)).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("corrupt zstd stream: {error}"))
    })?;
    Ok(Some(State::Inside(Box::new(frame))))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn check(packed: &[u8], expected: &[u8]) {
        let mut plain = Vec::new();
        decompress(packed).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(plain, expected);
    }

    #[test]
    fn every_frame_and_member_is_read() {
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        check(&[zstd(b"one "), skipped.clone(), zstd(b"two")].concat(), b"one two");
        check(&[skipped, zstd(b"one")].concat(), b"one");
        check(&[gzip(b"one "), gzip(b"two")].concat(), b"one two");
        check(b"plain", b"plain");
        check(b"", b"");
    }

    #[test]
    fn cut_and_foreign_streams_are_errors() {
        let random: Vec<u8> = (0..2000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for packed in [zstd(&random), gzip(&random)] {
            for length in [7, packed.len() / 2, packed.len() - 1] {
                let mut plain = Vec::new();
                let read =
                    decompress(&packed[..length]).and_then(|mut reader| reader.read_to_end(&mut plain));
                assert!(read.is_err(), "{length} of {} bytes", packed.len());
            }
        }
        assert!(decompress(&b"BZh91AY"[..]).is_err());
        assert!(decompress(&[0xfd, b'7', b'z', b'X', b'Z', 0][..]).is_err());
    }
}
