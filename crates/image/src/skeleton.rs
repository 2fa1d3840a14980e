//! Keeps what a layer's tar stream holds beside the content of its files, so that the very same stream can be
//! written again from the unpacked directory without storing the content twice.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use archive::Observer;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};

use crate::unpack;

const FRAMING: u8 = 0;
const CONTENT: u8 = 1;
/// Bounds what is read into memory at once from a damaged file.
const PIECE_BYTES_MAX: usize = 8 << 20;

/// A file whose errors name it, since they travel through readers of something else.
pub(crate) struct NamedFile {
    file: File,
    path: PathBuf,
}

impl NamedFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        let file = File::create(&path).map_err(|source| named(&path, source))?;
        Ok(Self { file, path })
    }
}

fn named(path: &Path, source: io::Error) -> io::Error {
    io::Error::other(unpack::Error::Write { path: path.to_owned(), source })
}

impl Write for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|source| named(&self.path, source))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Records a stream's skeleton as it is read.
pub(crate) struct Writer<W: Write> {
    out: DeflateEncoder<W>,
    pending: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out: DeflateEncoder::new(out, Compression::fast()), pending: Vec::new() }
    }

    /// Notes that a file's content comes next in the stream.
    pub(crate) fn content(&mut self, path: &Path, size: u64) -> io::Result<()> {
        self.flush_framing()?;
        self.piece(CONTENT, path.as_os_str().as_bytes())?;
        self.out.write_all(&size.to_le_bytes())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush_framing()?;
        self.out.finish().map(drop)
    }

    fn flush_framing(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.piece(FRAMING, &pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    fn piece(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(bytes)
    }
}

impl<W: Write> Observer for Writer<W> {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= 1 << 20 { self.flush_framing() } else { Ok(()) }
    }
}

/// Writes the stream a skeleton was taken from, with the content of the files below `directory`.
pub(crate) fn rebuild(skeleton: impl Read, directory: &Path, mut out: impl Write) -> io::Result<()> {
    let mut skeleton = BufReader::new(DeflateDecoder::new(skeleton));
    let root = File::open(directory)?;
    loop {
        let mut kind = [0];
        if skeleton.read(&mut kind)? == 0 {
            return Ok(());
        }
        let mut length = [0; 4];
        skeleton.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > PIECE_BYTES_MAX {
            return Err(damaged());
        }
        let mut bytes = vec![0; length];
        skeleton.read_exact(&mut bytes)?;
        match kind[0] {
            FRAMING => out.write_all(&bytes)?,
            CONTENT => {
                let mut size = [0; 8];
                skeleton.read_exact(&mut size)?;
                copy_content(&root, OsStr::from_bytes(&bytes), u64::from_le_bytes(size), &mut out)?;
            }
            _ => return Err(damaged()),
        }
    }
}

fn copy_content(root: &File, path: &OsStr, size: u64, out: &mut impl Write) -> io::Result<()> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let file = File::from(nix::fcntl::openat2(root, path, how)?);
    if io::copy(&mut file.take(size), out)? < size {
        return Err(damaged());
    }
    Ok(())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the layer's files differ from when it was unpacked")
}
