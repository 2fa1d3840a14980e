//! Unpacks one layer's tar stream into a directory that overlayfs can use as it stands.
//!
//! Whiteouts become overlayfs's own marks; links are followed inside the directory alone; anything that would leave
//! it, or grow beyond the limits, is refused.

mod compression;
mod limits;
mod tree;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind, Tail, TarReader};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use registry::Digest;
use sha2::{Digest as _, Sha256};

pub use self::compression::decompress;
pub use self::limits::Limits;
pub(crate) use self::limits::{Bounded, Counted};
use self::tree::{Spot, Tree};
use crate::skeleton;

const OPAQUE: &str = ".wh..wh..opq";
const AUFS_PREFIX: &str = ".wh..wh.";
const WHITEOUT_PREFIX: &str = ".wh.";
/// Linux's own limit for a path.
const PATH_BYTES_MAX: usize = 4096;
const COPY_BYTES: usize = 128 << 10;

/// Tells why a layer or archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry's name or link leads out of the directory.
    #[error("refused archive entry {path:?}: {reason}")]
    Refused {
        /// The entry as the archive names it.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Directories are nested too deep.
    #[error("refused archive entry {path:?}: it is nested deeper than {depth_max} directories")]
    TooDeep {
        /// The entry's directory.
        path: PathBuf,
        /// How deep directories may be nested.
        depth_max: usize,
    },
    /// The archive unpacks to more than allowed.
    #[error("the archive unpacks to more than {bytes_max} bytes; raise the limit if you trust it")]
    TooManyBytes {
        /// The limit.
        bytes_max: u64,
    },
    /// The archive has more entries than allowed.
    #[error("the archive has more than {entries_max} entries; raise the limit if you trust it")]
    TooManyEntries {
        /// The limit.
        entries_max: u64,
    },
    /// The archive unpacks to suspiciously much.
    #[error("the archive unpacks to more than {ratio_max} times its size; raise the limit if you trust it")]
    Ratio {
        /// The limit.
        ratio_max: u64,
    },
    /// The archive could not be read.
    #[error("read archive")]
    Read(#[source] io::Error),
    /// A file could not be written.
    #[error("write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Some of what the system refuses is the archive's fault.
    fn write(path: &Path) -> impl Fn(Errno) -> Self + use<> {
        let path = path.to_owned();
        move |errno| {
            let refused = |reason| Self::Refused { path: path.display().to_string(), reason };
            match errno {
                Errno::ELOOP => refused("its path is a loop of links"),
                Errno::ENOTDIR => refused("its path leads through something that is no directory"),
                Errno::EEXIST => refused("its path leads through a link to nothing"),
                Errno::ENAMETOOLONG => refused("it has a name longer than 255 bytes"),
                _ => Self::Write { path: path.clone(), source: errno.into() },
            }
        }
    }

    /// The readers below have only `io::Error` to speak with; what they wrapped is taken out again.
    pub(crate) fn from_read(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) => Self::Read(other),
        }
    }
}

/// What an unpacked layer turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Digest of the plain tar stream.
    pub(crate) diff_id: Digest,
    /// Length of the plain tar stream.
    pub(crate) tar_bytes: u64,
    /// Bytes in files.
    pub(crate) size_bytes: u64,
}

/// Unpacks a layer, packed or plain, into an empty directory and records its skeleton.
///
/// `packed` is read to its very end, so that a digest taken over it is complete.
pub(crate) fn layer(
    packed: impl Read + Send,
    directory: &Path,
    skeleton_path: &Path,
    limits: Limits,
) -> Result<Unpacked, Error> {
    let (mut packed, count) = Counted::new(packed);
    let unpacked = {
        let plain = decompress(&mut packed).map_err(Error::from_read)?;
        plain_layer(
            Bounded::new(plain, count, limits.layer_bytes_max, limits),
            directory,
            skeleton_path,
            limits,
        )?
    };
    io::copy(&mut packed, &mut io::sink()).map_err(Error::from_read)?;
    Ok(unpacked)
}

fn plain_layer(
    plain: impl Read,
    directory: &Path,
    skeleton_path: &Path,
    limits: Limits,
) -> Result<Unpacked, Error> {
    let mut plain = Hashing { inner: plain, hasher: Sha256::new(), count: 0 };
    let skeleton = skeleton::NamedFile::create(skeleton_path).map_err(Error::from_read)?;
    let mut unpacking = Unpacking {
        stream: TarReader::observed(&mut plain, skeleton::Writer::new(skeleton)),
        tree: Tree::open(directory)?,
        directory_times: Vec::new(),
        size_bytes: 0,
        buffer: vec![0; COPY_BYTES],
    };
    unpacking.run(limits)?;
    let Unpacking { stream, size_bytes, .. } = unpacking;
    stream.observer.finish().map_err(Error::from_read)?;
    Ok(Unpacked { diff_id: Digest::finish(plain.hasher), tar_bytes: plain.count, size_bytes })
}

struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}

struct Unpacking<R, W: Write> {
    stream: TarReader<R, skeleton::Writer<W>>,
    tree: Tree,
    /// Directories get their times last: filling them changes them.
    directory_times: Vec<(PathBuf, (i64, u32))>,
    size_bytes: u64,
    buffer: Vec<u8>,
}

impl<R: Read, W: Write> Unpacking<R, W> {
    fn run(&mut self, limits: Limits) -> Result<(), Error> {
        let mut entries: u64 = 0;
        while let Some(entry) = self.stream.next().map_err(Error::from_read)? {
            entries += 1;
            if entries > limits.entries_max {
                return Err(Error::TooManyEntries { entries_max: limits.entries_max });
            }
            self.entry(&entry)?;
        }
        self.stream.finish(Tail::Whole).map_err(Error::from_read)?;
        for (path, time) in std::mem::take(&mut self.directory_times).into_iter().rev() {
            let spot = self.tree.spot(&path)?;
            // A later entry may have put something else in the directory's place.
            if spot.kind()? == Some(SFlag::S_IFDIR) {
                spot.set_time(time)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let path = clean(&entry.path)?;
        let name = path.file_name().unwrap_or_default().as_bytes();
        if name == OPAQUE.as_bytes() {
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            self.tree.spot(&path)?;
            return set_opaque(&self.tree.spot(&directory)?);
        }
        if name.starts_with(AUFS_PREFIX.as_bytes()) {
            return Ok(());
        }
        match name.strip_prefix(WHITEOUT_PREFIX.as_bytes()) {
            Some(b"" | b"." | b"..") => Err(refused(&entry.path, "it hides a directory's own name")),
            Some(hidden) => self.whiteout(&path.with_file_name(OsStr::from_bytes(hidden))),
            None if path.as_os_str().is_empty() => self.root(entry),
            None => self.plain(entry, &path),
        }
    }

    /// A whiteout hides what lower layers have, never what this layer has.
    fn whiteout(&mut self, path: &Path) -> Result<(), Error> {
        let spot = self.tree.spot(path)?;
        match spot.kind()? {
            None => self.tree.make(&spot, |spot| spot.node(SFlag::S_IFCHR, (0, 0))),
            Some(SFlag::S_IFDIR) => set_opaque(&spot),
            Some(_) => Ok(()),
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<(), Error> {
        if entry.kind != Kind::Directory {
            return Err(refused(&entry.path, "it replaces the root directory"));
        }
        self.settle(entry, &self.tree.spot_of_root(), Path::new(""))
    }

    fn plain(&mut self, entry: &Entry, path: &Path) -> Result<(), Error> {
        let spot = self.tree.spot(path)?;
        match entry.kind {
            Kind::File => return self.file(entry, &spot, path),
            Kind::Directory => self.directory(&spot)?,
            Kind::Symlink => self.tree.make(&spot, |spot| spot.symlink(&entry.link))?,
            Kind::HardLink => return self.hard_link(entry, &spot),
            Kind::CharDevice => self.tree.make(&spot, |spot| spot.node(SFlag::S_IFCHR, entry.device))?,
            Kind::BlockDevice => self.tree.make(&spot, |spot| spot.node(SFlag::S_IFBLK, entry.device))?,
            Kind::Fifo => self.tree.make(&spot, |spot| spot.node(SFlag::S_IFIFO, (0, 0)))?,
        }
        self.settle(entry, &spot, path)
    }

    fn file(&mut self, entry: &Entry, spot: &Spot, path: &Path) -> Result<(), Error> {
        let mut file = self.tree.make(spot, Spot::file)?;
        self.stream.observer.content(path, entry.size).map_err(Error::from_read)?;
        loop {
            let count = self.stream.read(&mut self.buffer).map_err(Error::from_read)?;
            if count == 0 {
                break;
            }
            let written = file.write_all(&self.buffer[..count]);
            written.map_err(|source| Error::Write { path: spot.shown().to_owned(), source })?;
        }
        self.size_bytes += entry.size;
        drop(file);
        self.settle(entry, spot, path)
    }

    fn directory(&mut self, spot: &Spot) -> Result<(), Error> {
        match spot.directory() {
            Ok(()) => Ok(()),
            Err(Errno::EEXIST) if spot.kind()? == Some(SFlag::S_IFDIR) => Ok(()),
            Err(Errno::EEXIST) => {
                let was_whiteout = spot.is_whiteout()?;
                self.tree.make(spot, Spot::directory)?;
                if was_whiteout { set_opaque(spot) } else { Ok(()) }
            }
            Err(errno) => Err(Error::write(spot.shown())(errno)),
        }
    }

    fn hard_link(&mut self, entry: &Entry, spot: &Spot) -> Result<(), Error> {
        let target = self.tree.spot(&clean(&entry.link)?)?;
        match target.kind()? {
            None => {
                return Err(refused(&entry.path, "it is a hard link to a file this archive does not have"));
            }
            Some(SFlag::S_IFDIR) => return Err(refused(&entry.path, "it is a hard link to a directory")),
            Some(_) => {}
        }
        if target.shown() == spot.shown() {
            return Ok(());
        }
        self.tree.make(spot, |spot| spot.hard_link(&target))
    }

    /// Owner first: changing it takes away set-uid bits and file capabilities.
    fn settle(&mut self, entry: &Entry, spot: &Spot, path: &Path) -> Result<(), Error> {
        spot.set_owner(entry)?;
        if entry.kind != Kind::Symlink {
            spot.set_mode(entry.mode)?;
        }
        for (name, value) in &entry.xattrs {
            set_xattr(spot, name, value)?;
        }
        let time = entry.mtime;
        if entry.kind == Kind::Directory {
            self.directory_times.push((path.to_owned(), time));
            return Ok(());
        }
        spot.set_time(time)
    }
}

fn set_opaque(spot: &Spot) -> Result<(), Error> {
    let set = spot.set_xattr(b"trusted.overlay.opaque", b"y");
    set.map_err(|source| Error::Write { path: spot.shown().to_owned(), source })
}

/// An image must not speak to overlayfs itself: a redirect could show one layer's file under another's name.
fn set_xattr(spot: &Spot, name: &[u8], value: &[u8]) -> Result<(), Error> {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        return Ok(());
    }
    match spot.set_xattr(name, value) {
        // Labels of a security module or filesystem that this machine lacks mean nothing here.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM | libc::EINVAL)) => {
            tracing::debug!(path = %spot.shown().display(), name = %String::from_utf8_lossy(name), %error, "attribute left out");
            Ok(())
        }
        other => other.map_err(|source| Error::Write { path: spot.shown().to_owned(), source }),
    }
}

fn refused(path: &[u8], reason: &'static str) -> Error {
    Error::Refused { path: String::from_utf8_lossy(path).into_owned(), reason }
}

/// Returns the path below the root; a leading slash means the root, as it does in a container.
pub(crate) fn clean(path: &[u8]) -> Result<PathBuf, Error> {
    if path.len() > PATH_BYTES_MAX {
        return Err(refused(&path[..64], "its name is longer than 4096 bytes"));
    }
    if path.contains(&0) {
        return Err(refused(path, "its name holds a zero byte"));
    }
    let mut clean = PathBuf::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refused(path, "it leads out of the archive with \"..\"")),
            name => clean.push(OsStr::from_bytes(name)),
        }
    }
    Ok(clean)
}
