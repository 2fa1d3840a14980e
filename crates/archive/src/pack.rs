//! Writes a tree as tar.

use std::io::Write;
use std::path::Path;

use crate::entry::{Entry, Kind};
use crate::stat::base_name;
use crate::walk::{Found, walk};
use crate::writer::{Broken, TarWriter};
use crate::{Error, Root};

/// Says how a tree is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// How the archive calls the tree's top.
    pub top: Top,
    /// What becomes of mounts inside the tree.
    pub mounts: Mounts,
}

/// Says how an archive calls the top of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// By the last name of the path, as `docker cp` expects: `.` if it ends in `/.`, nothing for the root.
    BaseName,
    /// `.`, so that the directory itself keeps its owner, mode and times.
    Dot,
    /// Not at all: the archive begins with what the directory holds.
    Absent,
}

/// Says what becomes of mounts inside the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounts {
    /// They are part of it.
    Cross,
    /// They are packed as empty files and directories.
    Empty,
}

impl Root {
    /// Writes what is at a path as tar, flushed and ended; blocks.
    ///
    /// The path's last link is not followed unless it ends in `/` or `/.`. A file that grows meanwhile is packed with
    /// the size it had, one that shrinks is filled up with zeros, one that goes is left out, as sockets are.
    pub fn pack(&self, path: &Path, packing: Packing, out: impl Write) -> Result<(), Error> {
        let Packing { top, mounts } = packing;
        let spot = self.spot(path)?;
        let name = base_name(path);
        let prefix = match top {
            Top::BaseName => Some(name.as_encoded_bytes()),
            Top::Dot => Some(&b"."[..]),
            Top::Absent => None,
        };
        let mut writer = TarWriter::new(out);
        walk(&spot, path, mounts == Mounts::Cross, &mut |found| pack_one(&mut writer, found, prefix))?;
        writer.finish().map_err(Error::Write)
    }
}

fn pack_one<W: Write>(
    writer: &mut TarWriter<W>,
    found: &Found<'_>,
    prefix: Option<&[u8]>,
) -> Result<(), Error> {
    if prefix.is_none() && found.path.is_empty() {
        return Ok(());
    }
    let Some((mut entry, file)) = found.load()? else { return Ok(()) };
    rename(&mut entry, prefix);
    writer.header(&entry).map_err(Error::Write)?;
    match file {
        None => Ok(()),
        Some(file) => writer.content(file, entry.size).map_err(|broken| match broken {
            Broken::Content(error) => {
                Error::file("read", Path::new(&*String::from_utf8_lossy(&entry.path)))(error)
            }
            Broken::Archive(error) => Error::Write(error),
        }),
    }
}

/// Puts the top's name before an entry's own; directories end in a slash.
fn rename(entry: &mut Entry, prefix: Option<&[u8]>) {
    let below = |path: &[u8]| match prefix {
        None => path.to_vec(),
        Some(b"/") => [b"/", path].concat(),
        Some(prefix) if path.is_empty() => prefix.to_vec(),
        Some(prefix) => [prefix, b"/", path].concat(),
    };
    entry.path = below(&entry.path);
    if entry.kind == Kind::HardLink {
        entry.link = below(&entry.link);
    }
    if entry.kind == Kind::Directory && !entry.path.ends_with(b"/") {
        entry.path.push(b'/');
    }
}
