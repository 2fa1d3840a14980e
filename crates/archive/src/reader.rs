//! Reads a tar stream entry by entry, with bounded memory whatever the stream claims.

use std::io::{self, Read};

use crate::entry::{Entry, Kind};

const BLOCK: usize = 512;
/// Long names and attributes of one entry; Linux allows 4 KiB of path and 64 KiB per attribute.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// What may follow an archive's end: writers fill up to a record.
const TAIL_BYTES_MAX: u64 = 1 << 20;

pub(crate) struct TarReader<R> {
    reader: R,
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
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, body_left: 0, padding: 0 }
    }

    /// Returns the next entry, passing over what was not read of the one before.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
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

    /// Reads what follows the end, so that whoever writes the stream is not left waiting.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self.reader.by_ref().take(TAIL_BYTES_MAX), &mut io::sink()).map(drop)
    }

    fn skip_body(&mut self) -> io::Result<()> {
        let left = self.body_left + self.padding;
        (self.body_left, self.padding) = (0, 0);
        if io::copy(&mut self.reader.by_ref().take(left), &mut io::sink())? < left {
            return Err(corrupt("it ends inside a file"));
        }
        Ok(())
    }

    fn header(&mut self) -> io::Result<Option<tar::Header>> {
        let mut header = tar::Header::new_old();
        let count = read_fully(&mut self.reader, header.as_mut_bytes())?;
        if count == 0 {
            return Ok(None);
        }
        if count < BLOCK {
            return Err(corrupt("it ends inside a header"));
        }
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
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
        if read_fully(&mut self.reader, &mut bytes)? < bytes.len() {
            return Err(corrupt("it ends inside an extension header"));
        }
        bytes.truncate(size as usize);
        Ok(bytes)
    }
}

/// Reads the content of the current entry.
impl<R: Read> Read for TarReader<R> {
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
        }

        #[test]
        fn any_pax_record_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Extensions::default().read_pax(&bytes);
        }
    }
}
