//! One file of a tree, as an archive holds it.

use nix::sys::stat::{FileStat, SFlag, major, minor};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// A further name of an earlier file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A device of characters.
    CharDevice,
    /// A device of blocks.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// Returns what a file is; nothing for sockets, which no archive can hold.
    pub(crate) fn of(stat: &FileStat) -> Option<Kind> {
        match format_of(stat) {
            SFlag::S_IFREG => Some(Kind::File),
            SFlag::S_IFLNK => Some(Kind::Symlink),
            SFlag::S_IFCHR => Some(Kind::CharDevice),
            SFlag::S_IFBLK => Some(Kind::BlockDevice),
            SFlag::S_IFDIR => Some(Kind::Directory),
            SFlag::S_IFIFO => Some(Kind::Fifo),
            _ => None,
        }
    }
}

pub(crate) fn format_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

pub(crate) fn is_directory(stat: &FileStat) -> bool {
    format_of(stat) == SFlag::S_IFDIR
}

/// Tells whether two files are one.
pub(crate) fn is_same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where it is, as the archive says.
    pub path: Vec<u8>,
    /// Where a link leads: text for a symbolic one, the path of an earlier entry for a hard one.
    pub link: Vec<u8>,
    /// Bytes of content; only files have some.
    pub size: u64,
    /// Permissions with set-uid, set-gid and sticky bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// When it was changed: seconds since 1970, and nanoseconds after those.
    pub mtime: (i64, u32),
    /// Major and minor number; only devices have some.
    pub device: (u32, u32),
    /// Extended attributes: names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// Describes a file by what the kernel says of it; links and attributes are left empty.
    pub(crate) fn of(kind: Kind, path: Vec<u8>, stat: &FileStat) -> Entry {
        let device = match kind {
            Kind::CharDevice | Kind::BlockDevice => (major(stat.st_rdev) as u32, minor(stat.st_rdev) as u32),
            Kind::File | Kind::HardLink | Kind::Symlink | Kind::Directory | Kind::Fifo => (0, 0),
        };
        Entry {
            kind,
            path,
            link: Vec::new(),
            size: if kind == Kind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            device,
            xattrs: Vec::new(),
        }
    }
}
