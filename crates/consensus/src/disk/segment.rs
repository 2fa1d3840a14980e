//! One file of the log: a header, then sealed frames, then zeros up to the end laid out in advance.
//!
//! A frame is what one `append` made durable, so a crash can only leave its *last* frame torn. A
//! broken frame with an intact one behind it is therefore damage, never a torn tail.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Error;
use super::seal::{DataKey, FileKey, OVERHEAD_BYTES, SALT_BYTES, fill};

const MAGIC: &[u8; 8] = b"DRVRLOG1";
/// Length of the header: magic and salt.
pub(crate) const HEADER_BYTES: usize = MAGIC.len() + SALT_BYTES;
/// Length and place in front of every frame.
const FRAME_HEAD_BYTES: usize = 4 + 8;

/// A segment that is being written.
pub(crate) struct Segment {
    file: File,
    key: FileKey,
    /// Where the next frame goes.
    pub offset: u64,
    buffer: Vec<u8>,
}

impl Segment {
    /// Writes a header into a file of zeros; it is durable with the first frame.
    pub fn start(file: File, data_key: &DataKey, path: &Path) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        fill(&mut salt);
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&salt);
        file.write_all_at(&header, 0).map_err(Error::io("write", path))?;
        Ok(Self { file, key: data_key.for_file(&salt), offset: HEADER_BYTES as u64, buffer: Vec::new() })
    }

    /// Returns the room a frame with this many plain bytes takes.
    pub fn frame_bytes(plain: usize) -> u64 {
        (FRAME_HEAD_BYTES + OVERHEAD_BYTES + plain) as u64
    }

    /// Writes one frame and waits until it is on disk. When it fails for lack of space the same
    /// place is written again by the next call.
    pub fn append(&mut self, place: u64, plain: &[u8], path: &Path) -> Result<(), Error> {
        self.buffer.clear();
        let sealed = u32::try_from(plain.len() + OVERHEAD_BYTES).map_err(|_| Error::Unsuitable {
            path: path.to_path_buf(),
            what: format!("cannot take {} bytes at once", plain.len()),
        })?;
        self.buffer.extend_from_slice(&sealed.to_le_bytes());
        self.buffer.extend_from_slice(&place.to_le_bytes());
        self.key.seal(place, plain, &mut self.buffer);
        self.file.write_all_at(&self.buffer, self.offset).map_err(Error::io("write", path))?;
        self.file.sync_data().map_err(Error::io("sync", path))?;
        self.offset += self.buffer.len() as u64;
        Ok(())
    }

    /// Cuts the zeros off; from then on every byte of the file counts.
    pub fn finish(&self, path: &Path) -> Result<(), Error> {
        cut(&self.file, self.offset, path)
    }
}

/// Shortens a file for good.
pub(crate) fn cut(file: &File, length: u64, path: &Path) -> Result<(), Error> {
    file.set_len(length).map_err(Error::io("cut", path))?;
    file.sync_all().map_err(Error::io("sync", path))
}

/// What a segment's file holds.
pub(crate) struct Content {
    /// The frames' places and plain bytes.
    pub frames: Vec<(u64, Vec<u8>)>,
    /// Where the intact frames end.
    pub end: u64,
    /// What follows them.
    pub tail: Tail,
}

/// What stands behind the last intact frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Tail {
    /// Nothing.
    None,
    /// Zeros laid out in advance.
    Zeros,
    /// The remains of a frame whose write was cut short.
    Torn,
    /// Something that no crash leaves.
    Damaged(String),
}

/// Reads a whole segment.
pub(crate) fn read(bytes: &[u8], data_key: &DataKey) -> Result<Content, String> {
    let salt = bytes
        .strip_prefix(MAGIC.as_slice())
        .and_then(|rest| rest.first_chunk::<SALT_BYTES>())
        .ok_or("the header is not that of a log")?;
    let key = data_key.for_file(salt);
    let mut frames = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some((place, plain, length)) = frame(&bytes[at..], &key) {
        if frames.last().is_some_and(|(before, _)| place != before + 1) {
            return Err(format!("frame {place} stands where another belongs"));
        }
        frames.push((place, plain));
        at += length;
    }
    let last = frames.last().map(|(place, _)| *place).ok_or("the first frame cannot be opened")?;
    Ok(Content { tail: tail(&bytes[at..], last, &key, at), frames, end: at as u64 })
}

fn tail(rest: &[u8], last: u64, key: &FileKey, at: usize) -> Tail {
    if rest.is_empty() {
        return Tail::None;
    }
    if rest.iter().all(|byte| *byte == 0) {
        return Tail::Zeros;
    }
    let later = (1..rest.len()).find(|offset| {
        let rest = &rest[*offset..];
        head(rest).is_some_and(|(_, place)| place > last) && frame(rest, key).is_some()
    });
    match later {
        Some(offset) => Tail::Damaged(format!(
            "the frame at byte {at} cannot be opened although the one at byte {} can",
            at + offset
        )),
        None => Tail::Torn,
    }
}

fn head(bytes: &[u8]) -> Option<(usize, u64)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let place = rest.first_chunk::<8>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let plausible = length >= OVERHEAD_BYTES && length <= bytes.len() - FRAME_HEAD_BYTES;
    plausible.then_some((length, u64::from_le_bytes(*place)))
}

fn frame(bytes: &[u8], key: &FileKey) -> Option<(u64, Vec<u8>, usize)> {
    let (length, place) = head(bytes)?;
    let end = FRAME_HEAD_BYTES + length;
    let plain = key.open(place, &bytes[FRAME_HEAD_BYTES..end])?;
    Some((place, plain, end))
}
