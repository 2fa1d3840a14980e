//! Reads a tar stream entry by entry, with bounded memory whatever the stream claims.
//!
//! The extension headers of an archive (long names, PAX records) may claim any length: they are bounded before they are
//! read. Every byte that is not the content of a file can be recorded, to rebuild the archive exactly.

use std::io::{self, Read};

use crate::entry::{Entry, Kind};

const BLOCK: usize = 512;
/// Long names and attributes of one entry; Linux allows 4 KiB of path and 64 KiB per attribute.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// What may follow an archive's end: writers fill up to a record.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// How much is read of what follows the end of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// All, so that a digest over the stream is complete.
    Whole,
    /// What a writer fills up to a record.
    Filling,
}

/// Sees the bytes of an archive that are not the content of files.
pub trait Observer {
    /// Sees the next of them.
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Observes nothing.
pub struct Unobserved;

impl Observer for Unobserved {
    fn framing(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Reads an archive: [`TarReader::next`] goes to the next entry, and reading gives the content of that.
pub struct TarReader<R, O = Unobserved> {
    reader: R,
    /// What sees all but the content of files.
    pub observer: O,
    body_left: u64,
    padding: u64,
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> TarReader<R> {
    /// Begins to read.
    pub fn new(reader: R) -> Self {
        Self::observed(reader, Unobserved)
    }
}

impl<R: Read, O: Observer> TarReader<R, O> {
    /// Begins to read, and tells an observer all that is not the content of a file.
    pub fn observed(reader: R, observer: O) -> Self {
        Self { reader, observer, body_left: 0, padding: 0 }
    }

    /// Returns the next entry, passing over what was not read of the one before.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator could not give out content between its items"
    )]
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        let mut is_extended = false;
        loop {
            self.skip_body()?;
            let Some(header) = self.header()? else {
                return if is_extended {
                    Err(corrupt("it ends after an extension header"))
                } else {
                    Ok(None)
                };
            };
            let size = number(&header.as_old().size, header.entry_size(), "size")?;
            match header.entry_type().as_byte() {
                // Comments, and defaults that no writer of today uses.
                b'g' => {
                    self.extension(size)?;
                    continue;
                }
                b'x' => extensions.read_pax(&self.extension(size)?)?,
                b'L' => extensions.path = Some(until_nul(self.extension(size)?)),
                b'K' => extensions.link = Some(until_nul(self.extension(size)?)),
                _ => {
                    let entry = entry_of(&header, size, extensions)?;
                    self.body_left = entry.size;
                    self.padding = padding_of(entry.size);
                    return Ok(Some(entry));
                }
            }
            is_extended = true;
        }
    }

    /// Reads what follows the end, so that whoever writes the stream is not left waiting; to its end, or no further than
    /// a writer fills up.
    pub fn finish(&mut self, tail: Tail) -> io::Result<()> {
        let limit = match tail {
            Tail::Whole => u64::MAX,
            Tail::Filling => TAIL_BYTES_MAX,
        };
        self.pass(limit).map(drop)
    }

    fn skip_body(&mut self) -> io::Result<()> {
        let left = self.body_left + self.padding;
        (self.body_left, self.padding) = (0, 0);
        if self.pass(left)? < left {
            return Err(corrupt("it ends inside a file"));
        }
        Ok(())
    }

    /// Passes over so many bytes, or all there are; returns how many those were.
    fn pass(&mut self, count: u64) -> io::Result<u64> {
        let mut buffer = [0; 8 << 10];
        let mut passed = 0;
        while passed < count {
            let want = usize::try_from(count - passed).unwrap_or(usize::MAX).min(buffer.len());
            let read = read_fully(&mut self.reader, &mut buffer[..want])?;
            self.observer.framing(&buffer[..read])?;
            passed += read as u64;
            if read < want {
                break;
            }
        }
        Ok(passed)
    }

    fn header(&mut self) -> io::Result<Option<tar::Header>> {
        let mut header = tar::Header::new_old();
        let count = read_fully(&mut self.reader, header.as_mut_bytes())?;
        if count == 0 {
            return Ok(None);
        }
        self.observer.framing(&header.as_bytes()[..count])?;
        if count < BLOCK {
            return Err(corrupt("it ends inside a header"));
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>();
        if header.cksum().ok() != Some(sum + 8 * u32::from(b' ')) {
            return Err(corrupt("wrong header checksum"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_BYTES_MAX {
            return Err(corrupt("an extension header is longer than 1 MiB"));
        }
        let mut bytes = vec![0; (size + padding_of(size)) as usize];
        let count = read_fully(&mut self.reader, &mut bytes)?;
        self.observer.framing(&bytes[..count])?;
        if count < bytes.len() {
            return Err(corrupt("it ends inside an extension header"));
        }
        bytes.truncate(size as usize);
        Ok(bytes)
    }
}

/// Reads the content of the current entry.
impl<R: Read, O> Read for TarReader<R, O> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer.len().min(usize::try_from(self.body_left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..want])?;
        if count == 0 {
            return Err(corrupt("it ends inside a file"));
        }
        self.body_left -= count as u64;
        Ok(count)
    }
}

fn entry_of(header: &tar::Header, size: u64, extensions: Extensions) -> io::Result<Entry> {
    let Extensions { path, link, size: pax_size, uid, gid, mtime, xattrs } = extensions;
    let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
    let kind = match header.entry_type().as_byte() {
        b'\0' if path.ends_with(b"/") => Kind::Directory,
        b'0' | b'\0' | b'7' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        b'S' => return Err(corrupt("sparse files are not supported; write the archive without them")),
        other => return Err(corrupt(&format!("unknown entry type {:?}", char::from(other)))),
    };
    let device = match kind {
        Kind::CharDevice | Kind::BlockDevice => {
            (device_part(header.device_major())?, device_part(header.device_minor())?)
        }
        Kind::File | Kind::HardLink | Kind::Symlink | Kind::Directory | Kind::Fifo => (0, 0),
    };
    let size = pax_size.unwrap_or(size);
    if size > i64::MAX as u64 {
        return Err(corrupt("a file larger than any filesystem holds"));
    }
    let old = header.as_old();
    Ok(Entry {
        kind,
        link: link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
        // Only files have content, whatever the header of another kind says.
        size: if kind == Kind::File { size } else { 0 },
        mode: word(number(&old.mode, header.mode().map(u64::from), "mode")?)? & 0o7777,
        uid: uid.map_or_else(|| word(number(&old.uid, header.uid(), "uid")?), Ok)?,
        gid: gid.map_or_else(|| word(number(&old.gid, header.gid(), "gid")?), Ok)?,
        mtime: match mtime {
            Some(time) => time,
            None => (i64::try_from(number(&old.mtime, header.mtime(), "mtime")?).unwrap_or(0), 0),
        },
        device,
        xattrs,
        path,
    })
}

/// Fields that do not matter are left empty by some writers, which means zero.
fn number(raw: &[u8], parsed: io::Result<u64>, field: &str) -> io::Result<u64> {
    if raw.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return Ok(0);
    }
    parsed.map_err(|_| corrupt(&format!("bad {field} field")))
}

fn word(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| corrupt("an owner or mode is out of range"))
}

fn device_part(value: io::Result<Option<u32>>) -> io::Result<u32> {
    value.ok().flatten().ok_or_else(|| corrupt("a device without numbers"))
}

impl Extensions {
    /// PAX records are `LENGTH KEY=VALUE\n`, the length counting itself.
    fn read_pax(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let bad = || corrupt("bad PAX record");
        while !bytes.is_empty() {
            let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
            let digits = std::str::from_utf8(&bytes[..space]).map_err(|_| bad())?;
            let length: usize = digits.parse().map_err(|_| bad())?;
            if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
                return Err(bad());
            }
            let record = &bytes[space + 1..length - 1];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            self.take(&record[..equals], &record[equals + 1..])?;
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        const XATTR: &[u8] = b"SCHILY.xattr.";
        let text = || std::str::from_utf8(value).map_err(|_| corrupt("bad PAX number"));
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(text()?.parse().map_err(|_| corrupt("bad PAX size"))?),
            b"uid" => self.uid = Some(text()?.parse().map_err(|_| corrupt("bad PAX uid"))?),
            b"gid" => self.gid = Some(text()?.parse().map_err(|_| corrupt("bad PAX gid"))?),
            b"mtime" => self.mtime = Some(parse_time(text()?).ok_or_else(|| corrupt("bad PAX mtime"))?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(corrupt("sparse files are not supported; write the archive without them"));
            }
            _ if key.starts_with(XATTR) => self.xattrs.push((key[XATTR.len()..].to_vec(), value.to_vec())),
            _ => {}
        }
        Ok(())
    }
}

/// Reads seconds with an optional fraction, which counts downwards before 1970.
pub(crate) fn parse_time(text: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    match (whole.starts_with('-'), nanoseconds) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds)),
        (_, _) => Some((seconds, nanoseconds)),
    }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// Returns how many bytes fill a size up to whole blocks.
pub(crate) fn padding_of(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn read_fully(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match reader.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn corrupt(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("corrupt tar archive: {reason}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(archive: &[u8]) -> io::Result<usize> {
        let mut reader = TarReader::new(archive);
        let mut entries = 0;
        while reader.next()?.is_some() {
            io::copy(&mut reader, &mut io::sink())?;
            entries += 1;
        }
        Ok(entries)
    }

    fn header(kind: u8, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_path("f").unwrap();
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn entries_of(archive: &[u8]) -> io::Result<Vec<Entry>> {
        let mut reader = TarReader::new(archive);
        let mut entries = Vec::new();
        while let Some(entry) = reader.next()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    fn archive_of(path: &str, content: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn long_names_are_read_from_extension_headers() {
        let path = "d/".repeat(100) + "file";

        let entries = entries_of(&archive_of(&path, b"x")).unwrap();

        assert_eq!(entries[0].path, path.as_bytes());
        assert_eq!(entries[0].size, 1);
    }

    #[test]
    fn every_truncation_inside_an_entry_is_an_error() {
        let archive = archive_of("file", &[7; 700]);

        for length in (1..512 + 1024).filter(|length| *length != 512 + 1024) {
            assert!(entries_of(&archive[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn extension_that_claims_gigabytes_is_refused() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(8 << 30);
        header.set_cksum();

        let error = entries_of(header.as_bytes()).unwrap_err();

        assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
    }

    #[test]
    fn times_before_1970_keep_their_fraction() {
        assert_eq!(parse_time("12.5"), Some((12, 500_000_000)));
        assert_eq!(parse_time("-1.25"), Some((-2, 750_000_000)));
        assert_eq!(parse_time("-0.25"), Some((-1, 750_000_000)));
        assert_eq!(parse_time("7"), Some((7, 0)));
        assert_eq!(parse_time("7.x"), None);
    }

    #[test]
    fn hostile_headers_are_refused() {
        let mut wrong_sum = header(b'0', 0);
        wrong_sum[0] = b'g';
        let cases = [
            (header(b'L', 8 << 30), "longer than 1 MiB"),
            (header(b'x', u64::MAX), "longer than 1 MiB"),
            (header(b'0', u64::MAX), "larger than any filesystem"),
            (header(b'0', 1 << 50), "ends inside a file"),
            (header(b'S', 0), "sparse"),
            (header(b'Z', 0), "unknown entry type"),
            (header(b'3', 0)[..511].to_vec(), "ends inside a header"),
            (wrong_sum, "checksum"),
        ];
        for (archive, expected) in cases {
            let error = read_all(&archive).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}: {expected}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = read_all(&bytes);
            let _ = entries_of(&bytes);
        }

        #[test]
        fn any_pax_record_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Extensions::default().read_pax(&bytes);
        }
    }
}
