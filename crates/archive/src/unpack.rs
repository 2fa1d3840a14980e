//! Puts the files of a tar stream into a directory.

use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::entry::Kind;
use crate::make::{Maker, clean};
use crate::reader::{Tail, TarReader};
use crate::{Error, Root};

/// Headers are read one by one and short; content as long as this passes the buffer by.
const INPUT_BYTES: usize = 64 << 10;

/// Says how an archive is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacking {
    /// Whose the files become.
    pub owner: Owner,
    /// What may be replaced.
    pub replace: Replace,
    /// What becomes of an entry for the directory itself.
    pub top: TopDirectory,
}

/// Says whose unpacked files become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Those the archive names.
    AsPacked,
    /// One for all.
    All {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

/// Says what may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Whatever is in the way.
    Anything,
    /// A directory only by a directory, and what is none only by what is none.
    SameKind,
}

/// Says what becomes of an entry for the directory that is unpacked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopDirectory {
    /// The directory keeps its owner, mode and times.
    Keep,
    /// It gets those of the archive.
    Set,
}

impl Root {
    /// Unpacks a plain tar stream into a directory, which must be there; blocks.
    ///
    /// Links on the way are followed inside this root. On an error, what was unpacked before stays.
    pub fn unpack(&self, path: &Path, input: impl Read, unpacking: Unpacking) -> Result<(), Error> {
        let Unpacking { owner, replace, top } = unpacking;
        let mut maker = Maker::new(self, path, owner, replace)?;
        let mut reader = TarReader::new(BufReader::with_capacity(INPUT_BYTES, input));
        while let Some(entry) = reader.next().map_err(Error::Read)? {
            let below = clean(&entry.path)?;
            if !below.as_os_str().is_empty() {
                maker.make(&entry, &below, &mut reader)?;
            } else if entry.kind != Kind::Directory {
                return Err(Error::refused(&entry.path, "it replaces the directory that is unpacked into"));
            } else if top == TopDirectory::Set {
                maker.set_top(&entry)?;
            }
        }
        maker.finish()?;
        reader.finish(Tail::Filling).or_else(|error| match error.kind() {
            // The archive is whole; its sender went a little early.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(()),
            _ => Err(Error::Read(error)),
        })
    }
}
