//! The chunked transfer coding (RFC 9112 §7.1), byte by byte.

/// No chunk is larger than what fits 15 digits: more digits overflow in some reader.
const DIGITS_MAX: u8 = 15;
/// Extensions and trailer fields are read over up to this size in all.
const UNUSED_BYTES_MAX: u32 = 16 * 1024;

/// Says that a body's chunks cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed: {0}")]
pub struct BadChunk(pub(crate) &'static str);

/// Follows a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunks {
    state: State,
    unused_bytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { digits: u8, size: u64 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    BodyEnd,
    Done,
}

/// Is a part of a body, in the order of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'b> {
    /// A chunk of this size begins.
    Begin(u64),
    Data(&'b [u8]),
    /// A chunk ended.
    End,
    /// The last chunk has come, and what may follow it.
    Last,
}

/// Is how far bytes were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) bytes: usize,
    /// They are whole lines and data and hold nothing that is read over, so that they can go on as they are.
    pub(crate) is_plain: bool,
}

impl Chunks {
    pub(crate) fn new() -> Chunks {
        Chunks { state: State::Size { digits: 0, size: 0 }, unused_bytes: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Follows as many of `bytes` as belong to the body, and hands on its pieces.
    pub(crate) fn follow<'b>(
        &mut self,
        bytes: &'b [u8],
        mut each: impl FnMut(Piece<'b>),
    ) -> Result<Followed, BadChunk> {
        let mut at = 0;
        let before = *self;
        while at < bytes.len() && self.state != State::Done {
            if let State::Data { left } = self.state {
                let here = (bytes.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                each(Piece::Data(&bytes[at..at + here]));
                at += here;
                let left = left - here as u64;
                self.state = if left == 0 { State::DataReturn } else { State::Data { left } };
            } else {
                self.state = self.step(bytes[at], &mut each)?;
                at += 1;
            }
        }
        // A line that is cut in two is written once its end is known, or its halves could contradict each other.
        let is_whole = before.is_between_lines() && self.is_between_lines();
        Ok(Followed { bytes: at, is_plain: is_whole && self.unused_bytes == before.unused_bytes })
    }

    fn is_between_lines(&self) -> bool {
        match self.state {
            State::Size { digits, .. } => digits == 0,
            State::Data { .. } | State::DataReturn | State::Done => true,
            State::Extension { .. }
            | State::SizeEnd { .. }
            | State::DataEnd
            | State::TrailerStart
            | State::Trailer
            | State::TrailerEnd
            | State::BodyEnd => false,
        }
    }

    /// Takes one byte that is not data.
    fn step<'b>(&mut self, byte: u8, each: &mut impl FnMut(Piece<'b>)) -> Result<State, BadChunk> {
        Ok(match (self.state, byte) {
            (State::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == DIGITS_MAX {
                    return Err(BadChunk("a size has too many digits"));
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                State::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (State::Size { digits: 1.., size }, b'\r') => State::SizeEnd { size },
            (State::Size { digits: 1.., size }, b';') => self.unused(State::Extension { size })?,
            (State::Size { .. }, _) => return Err(BadChunk("a size is no hexadecimal number")),
            (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.unused(State::Extension { size })?
            }
            (State::Extension { .. }, _) => return Err(BadChunk("an extension has a control character")),
            (State::SizeEnd { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => {
                each(Piece::Begin(size));
                State::Data { left: size }
            }
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                each(Piece::End);
                State::Size { digits: 0, size: 0 }
            }
            (State::DataReturn | State::DataEnd, _) => {
                return Err(BadChunk("a chunk is longer than its size"));
            }
            (State::TrailerStart, b'\r') => State::BodyEnd,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerStart, b'!'..=b'~') => self.unused(State::Trailer)?,
            (State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => self.unused(State::Trailer)?,
            (State::TrailerStart | State::Trailer, _) => {
                return Err(BadChunk("a trailer field is no field"));
            }
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::BodyEnd, b'\n') => {
                each(Piece::Last);
                State::Done
            }
            (State::SizeEnd { .. } | State::TrailerEnd | State::BodyEnd, _) => {
                return Err(BadChunk("a carriage return stands alone"));
            }
            (State::Data { .. } | State::Done, _) => self.state,
        })
    }

    /// Counts a byte that is read over.
    fn unused(&mut self, next: State) -> Result<State, BadChunk> {
        self.unused_bytes += 1;
        if self.unused_bytes > UNUSED_BYTES_MAX {
            return Err(BadChunk("extensions and trailer fields are too long"));
        }
        Ok(next)
    }
}
