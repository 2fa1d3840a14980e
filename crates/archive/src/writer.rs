//! Writes a tar stream entry by entry.
//!
//! Headers are those of POSIX; what does not fit into one goes into an extension header before it.

use std::io::{self, BufWriter, Read, Write};

use crate::entry::{Entry, Kind};
use crate::reader::padding_of;

/// The largest number that fits into a header's field for an owner.
const OWNER_MAX: u32 = 0o777_7777;
/// The largest number that fits into a header's field for a size or time.
const NUMBER_MAX: u64 = 0o777_7777_7777;
const COPY_BYTES: usize = 128 << 10;

pub(crate) struct TarWriter<W: Write> {
    /// Headers of small files are many and short; content as long as the buffer passes it by.
    out: BufWriter<W>,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out: BufWriter::with_capacity(COPY_BYTES, out), buffer: vec![0; COPY_BYTES] }
    }

    /// Writes an entry's headers.
    pub(crate) fn header(&mut self, entry: &Entry) -> io::Result<()> {
        let extension = extension(entry);
        if !extension.is_empty() {
            let mut header = tar::Header::new_ustar();
            put_name(&mut header, b"pax");
            header.set_entry_type(tar::EntryType::XHeader);
            header.set_mode(0o644);
            header.set_size(extension.len() as u64);
            header.set_cksum();
            self.out.write_all(header.as_bytes())?;
            self.out.write_all(&extension)?;
            self.pad(extension.len() as u64)?;
        }
        self.out.write_all(header_of(entry)?.as_bytes())
    }

    /// Writes exactly `size` bytes of content: of a file that grew its begin, and of one that shrank zeros at the end.
    pub(crate) fn content(&mut self, mut content: impl Read, size: u64) -> Result<(), Broken> {
        let (mut left, mut is_ended) = (size, false);
        while left > 0 {
            let want = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match content.read(&mut self.buffer[..want]) {
                _ if is_ended => want,
                Ok(0) => {
                    (is_ended, _) = (true, self.buffer.fill(0));
                    continue;
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Content(error)),
            };
            self.out.write_all(&self.buffer[..count]).map_err(Broken::Archive)?;
            left -= count as u64;
        }
        self.pad(size).map_err(Broken::Archive)
    }

    /// Marks the end.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 1024])?;
        self.out.flush()
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        self.out.write_all(&[0; 512][..padding_of(size) as usize])
    }
}

/// Tells which side broke.
pub(crate) enum Broken {
    Content(io::Error),
    Archive(io::Error),
}

fn header_of(entry: &Entry) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    put_name(&mut header, &entry.path);
    let field = &mut header.as_old_mut().linkname;
    let length = entry.link.len().min(field.len());
    field[..length].copy_from_slice(&entry.link[..length]);
    header.set_entry_type(match entry.kind {
        Kind::File => tar::EntryType::Regular,
        Kind::HardLink => tar::EntryType::Link,
        Kind::Symlink => tar::EntryType::Symlink,
        Kind::CharDevice => tar::EntryType::Char,
        Kind::BlockDevice => tar::EntryType::Block,
        Kind::Directory => tar::EntryType::Directory,
        Kind::Fifo => tar::EntryType::Fifo,
    });
    header.set_mode(entry.mode);
    header.set_uid(u64::from(entry.uid.min(OWNER_MAX)));
    header.set_gid(u64::from(entry.gid.min(OWNER_MAX)));
    header.set_size(if entry.size > NUMBER_MAX { 0 } else { entry.size });
    header.set_mtime(u64::try_from(entry.mtime.0).unwrap_or(0).min(NUMBER_MAX));
    header.set_device_major(entry.device.0)?;
    header.set_device_minor(entry.device.1)?;
    header.set_cksum();
    Ok(header)
}

/// Writes as much of a name as fits; the whole is in the extension header.
fn put_name(header: &mut tar::Header, name: &[u8]) {
    let field = &mut header.as_old_mut().name;
    let length = name.len().min(field.len());
    field[..length].copy_from_slice(&name[..length]);
}

/// Returns the records of what does not fit into an entry's header.
fn extension(entry: &Entry) -> Vec<u8> {
    let Entry { kind: _, path, link, size, mode: _, uid, gid, mtime, device: _, xattrs } = entry;
    let mut records = Vec::new();
    let mut put = |key: &[u8], value: &[u8]| record(&mut records, key, value);
    // The fields are 100 bytes long. Readers disagree about bytes above ASCII in them.
    let is_plain = |text: &[u8]| text.len() <= 100 && text.is_ascii();
    if !is_plain(path) {
        put(b"path", path);
    }
    if !is_plain(link) {
        put(b"linkpath", link);
    }
    if *size > NUMBER_MAX {
        put(b"size", size.to_string().as_bytes());
    }
    if *uid > OWNER_MAX {
        put(b"uid", uid.to_string().as_bytes());
    }
    if *gid > OWNER_MAX {
        put(b"gid", gid.to_string().as_bytes());
    }
    let (seconds, nanoseconds) = *mtime;
    if nanoseconds > 0 || u64::try_from(seconds).map_or(true, |seconds| seconds > NUMBER_MAX) {
        put(b"mtime", format_time(seconds, nanoseconds).as_bytes());
    }
    for (name, value) in xattrs {
        put(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    records
}

/// Appends `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Writes seconds with a fraction, which counts downwards before 1970.
fn format_time(seconds: i64, nanoseconds: u32) -> String {
    let text = match (seconds, nanoseconds) {
        (seconds, 0) => return seconds.to_string(),
        (-1, nanoseconds) => format!("-0.{:09}", 1_000_000_000 - nanoseconds),
        (..0, nanoseconds) => format!("{}.{:09}", seconds + 1, 1_000_000_000 - nanoseconds),
        (_, nanoseconds) => format!("{seconds}.{nanoseconds:09}"),
    };
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::parse_time;

    #[test]
    fn records_count_their_own_digits() {
        for (value, expected) in [(1, "6 k=v"), (4, "9 k=v"), (5, "11 k=v"), (93, "99 k=v"), (94, "101 k=v")]
        {
            let mut records = Vec::new();
            record(&mut records, b"k", &vec![b'v'; value]);
            let text = String::from_utf8(records).unwrap();
            assert!(text.starts_with(expected), "{text}");
            assert_eq!(text.len(), text.split(' ').next().unwrap().parse::<usize>().unwrap());
        }
    }

    #[test]
    fn times_are_read_as_they_were_written() {
        for time in [(0, 0), (12, 500_000_000), (-1, 1), (-2, 750_000_000), (1 << 40, 7), (-5, 0)] {
            assert_eq!(parse_time(&format_time(time.0, time.1)), Some(time), "{time:?}");
        }
    }
}
