//! Visits all files of a tree, following no link.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::entry::{Entry, Kind, format_of, is_directory, is_same};
use crate::root::Spot;
use crate::{Error, attribute};

/// Directories inside directories; each holds a descriptor while it is walked.
pub(crate) const DEPTH_MAX: usize = 256;

/// Is a file that was come upon.
pub(crate) struct Found<'a> {
    /// Below the tree's top; empty for the top itself.
    pub(crate) path: &'a [u8],
    pub(crate) stat: &'a FileStat,
    /// Something is mounted here, and what that holds is not visited.
    pub(crate) is_mount: bool,
    parent: &'a OwnedFd,
    name: &'a OsStr,
    /// The path where the same file was come upon before.
    link: Option<&'a [u8]>,
    /// What it is open as, if it is a directory.
    directory: Option<&'a File>,
}

type Visit<'v> = dyn FnMut(&Found<'_>) -> Result<(), Error> + 'v;

/// Visits a tree: a directory before what it holds, names in order, sockets left out.
pub(crate) fn walk(
    top: &Spot,
    shown: &Path,
    crosses_mounts: bool,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    let stat = top.stat().map_err(Error::at("look at", shown))?;
    let mut walk = Walk { shown, crosses_mounts, links: HashMap::new(), visit };
    walk.one(&top.parent, &top.name, &mut Vec::new(), &stat, 0)
}

struct Walk<'v, 'w> {
    shown: &'v Path,
    crosses_mounts: bool,
    /// Where files with several names were come upon first.
    links: HashMap<(u64, u64), Vec<u8>>,
    visit: &'v mut Visit<'w>,
}

impl Walk<'_, '_> {
    fn one(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &mut Vec<u8>,
        stat: &FileStat,
        depth: usize,
    ) -> Result<(), Error> {
        let is_mount = !self.crosses_mounts && depth > 0 && is_mount(parent, name);
        if is_directory(stat) && !is_mount {
            return self.directory(parent, name, path, depth);
        }
        let link = self.known(stat, path);
        let found = Found { path, stat, is_mount, parent, name, link: link.as_deref(), directory: None };
        (self.visit)(&found)
    }

    fn directory(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let failed = Error::at("open", &self.show(path));
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep { path: self.show(path), depth_max: DEPTH_MAX });
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = match openat(parent, name, flags, Mode::empty()) {
            // It went while the tree was walked.
            Err(Errno::ENOENT) if depth > 0 => return Ok(()),
            result => result.map_err(&failed)?,
        };
        let stat = fstat(&directory).map_err(&failed)?;
        let names = names(&directory).map_err(&failed)?;
        let directory = File::from(directory);
        let found = Found {
            path,
            stat: &stat,
            is_mount: false,
            parent,
            name,
            link: None,
            directory: Some(&directory),
        };
        (self.visit)(&found)?;
        let directory = OwnedFd::from(directory);
        for name in names {
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let visited = match fstatat(&directory, name.as_os_str(), flags) {
                Ok(stat) => self.one(&directory, &name, path, &stat, depth + 1),
                Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(Error::at("look at", &self.show(path))(errno)),
            };
            path.truncate(length);
            visited?;
        }
        Ok(())
    }

    /// Returns where a file was come upon before, or notes that it is here.
    fn known(&mut self, stat: &FileStat, path: &[u8]) -> Option<Vec<u8>> {
        if stat.st_nlink < 2 || path.is_empty() {
            return None;
        }
        let key = (stat.st_dev, stat.st_ino);
        let known = self.links.get(&key).cloned();
        if known.is_none() {
            self.links.insert(key, path.to_vec());
        }
        known
    }

    fn show(&self, path: &[u8]) -> std::path::PathBuf {
        self.shown.join(OsStr::from_bytes(path))
    }
}

impl Found<'_> {
    /// Returns all there is to know, with the open file if it is one that has content; nothing for what went
    /// meanwhile and for sockets.
    ///
    /// What the file was replaced by is an error, not waited for and not opened by mistake.
    pub(crate) fn load(&self) -> Result<Option<(Entry, Option<File>)>, Error> {
        match self.load_present() {
            Err(Error::NotFound { .. }) if !self.path.is_empty() => Ok(None),
            result => result,
        }
    }

    fn load_present(&self) -> Result<Option<(Entry, Option<File>)>, Error> {
        let Some(kind) = Kind::of(self.stat) else { return Ok(None) };
        let mut entry = Entry::of(kind, self.path.to_vec(), self.stat);
        if self.is_mount {
            entry.size = 0;
            return Ok(Some((entry, None)));
        }
        if let Some(link) = self.link {
            (entry.kind, entry.link, entry.size) = (Kind::HardLink, link.to_vec(), 0);
            return Ok(Some((entry, None)));
        }
        let path = Path::new(OsStr::from_bytes(self.path));
        match kind {
            Kind::Symlink => {
                let target = readlinkat(self.parent, self.name).map_err(Error::at("read the link", path))?;
                entry.link = target.into_vec();
            }
            Kind::File => {
                let file = self.open().map_err(Error::at("open", path))?;
                // As it is at this moment, the name's size may be older.
                let stat = fstat(&file).map_err(Error::at("look at", path))?;
                entry = Entry::of(kind, self.path.to_vec(), &stat);
                entry.xattrs = attribute::read(&file).map_err(Error::file("read the attributes of", path))?;
                return Ok(Some((entry, Some(file))));
            }
            Kind::Directory => {
                if let Some(directory) = self.directory {
                    let read = attribute::read(directory);
                    entry.xattrs = read.map_err(Error::file("read the attributes of", path))?;
                }
            }
            Kind::HardLink | Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => {}
        }
        Ok(Some((entry, None)))
    }

    /// Opens a file without waiting, whatever took its place.
    fn open(&self) -> nix::Result<File> {
        let flags =
            OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = openat(self.parent, self.name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        if format_of(&stat) != SFlag::S_IFREG || !is_same(&stat, self.stat) {
            return Err(Errno::ESTALE);
        }
        Ok(File::from(file))
    }
}

fn is_mount(parent: &OwnedFd, name: &OsStr) -> bool {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_XDEV);
    openat2(parent, name, how).is_err_and(|errno| errno == Errno::EXDEV)
}

/// Lists a directory in order, so that equal trees make equal archives.
pub(crate) fn names(directory: &OwnedFd) -> nix::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = Dir::openat(directory, ".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
