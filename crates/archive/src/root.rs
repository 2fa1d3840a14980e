//! A directory that nothing leaves.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{FileStat, Mode, fstatat};

use crate::Error;

/// Links on the way to a file; as many as the kernel follows itself.
pub(crate) const LINKS_MAX: usize = 40;
/// The kernel gives up when something is renamed while it looks; a tree that is never quiet is an attack.
const TRIES_MAX: usize = 1000;

/// Is a directory that nothing leaves, whatever links, mounts or names are in it.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
}

/// Is a name in an open directory.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) parent: OwnedFd,
    /// `.` for the directory itself.
    pub(crate) name: OsString,
}

impl Root {
    /// Opens a directory as a root.
    pub fn open(path: &Path) -> Result<Root, Error> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(Error::at("open", path))?;
        Ok(Root { directory })
    }

    /// Takes an open directory as a root.
    pub fn of(directory: &File) -> Result<Root, Error> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = openat(directory, ".", flags, Mode::empty());
        Ok(Root { directory: opened.map_err(Error::at("open", Path::new("/")))? })
    }

    /// Opens a directory of this root as a root of its own.
    pub fn below(&self, path: &Path) -> Result<Root, Error> {
        Ok(Root { directory: self.directory(path)? })
    }

    /// Opens the directory at a path, links followed.
    pub(crate) fn directory(&self, path: &Path) -> Result<OwnedFd, Error> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        self.resolve(path, flags, ResolveFlag::empty()).map_err(Error::at("open", path))
    }

    /// Opens a path as if this root were the whole filesystem.
    pub(crate) fn resolve(&self, path: &Path, flags: OFlag, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
        let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve | inside);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        for _ in 0..TRIES_MAX {
            match openat2(&self.directory, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                result => return result,
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Finds a path; its last link is followed only if the path ends in `/` or `/.`, as everywhere.
    pub(crate) fn spot(&self, path: &Path) -> Result<Spot, Error> {
        let (parent, name) = split(path);
        match name {
            Some(name) => Ok(Spot { parent: self.directory(parent)?, name: name.to_owned() }),
            None => Ok(Spot { parent: self.directory(path)?, name: ".".into() }),
        }
    }

    /// Returns where a path leads in the end, as far as it exists: absolute, and free of links.
    pub(crate) fn follow(&self, path: &Path) -> Result<PathBuf, Error> {
        let mut done = PathBuf::new();
        let mut left: Vec<OsString> = parts(path).rev().map(OsStr::to_owned).collect();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let here = done.join(&part);
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
            let target = self.resolve(&here, flags, ResolveFlag::empty());
            let target = target.and_then(|fd| nix::fcntl::readlinkat(&fd, ""));
            let Ok(target) = target else {
                done = here;
                continue;
            };
            links += 1;
            if links > LINKS_MAX {
                return Err(Error::at("follow", path)(Errno::ELOOP));
            }
            let target = Path::new(&target);
            if target.is_absolute() {
                done = PathBuf::new();
            }
            left.extend(parts(target).rev().map(OsStr::to_owned));
        }
        Ok(Path::new("/").join(done))
    }
}

impl Spot {
    pub(crate) fn stat(&self) -> nix::Result<FileStat> {
        fstatat(&self.parent, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
    }
}

/// Parts a path into a directory and a name in it; there is no name if the path stands for a directory itself.
pub(crate) fn split(path: &Path) -> (&Path, Option<&OsStr>) {
    let bytes = path.as_os_str().as_bytes();
    let start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match &bytes[start..] {
        b"" | b"." | b".." => (path, None),
        name => (Path::new(OsStr::from_bytes(&bytes[..start])), Some(OsStr::from_bytes(name))),
    }
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    let parts = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".").map(OsStr::from_bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_are_parted_at_their_last_name() {
        let cases = [
            ("/a/b", "/a/", Some("b")),
            ("b", "", Some("b")),
            ("/a/b/", "/a/b/", None),
            ("/a/b/.", "/a/b/.", None),
            ("/a/..", "/a/..", None),
            ("/", "/", None),
            ("", "", None),
        ];
        for (path, parent, name) in cases {
            assert_eq!(split(Path::new(path)), (Path::new(parent), name.map(OsStr::new)), "{path}");
        }
    }

    #[test]
    fn links_are_followed_inside_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for (target, link) in [
            ("/a", "abs"),
            ("../../../../a/b", "a/up"),
            ("loop", "loop"),
            ("gone/x", "dangling"),
            ("abs/b", "two"),
        ] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        let root = Root::open(folder.path()).unwrap();
        let cases = [
            ("abs", Some("/a")),
            ("a/up", Some("/a/b")),
            ("/two/", Some("/a/b")),
            ("dangling", Some("/gone/x")),
            ("../../etc", Some("/etc")),
            ("loop", None),
        ];
        for (path, expected) in cases {
            let found = root.follow(Path::new(path)).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{path}");
        }
        assert!(root.directory(Path::new("a/up")).is_ok());
        assert!(matches!(root.directory(Path::new("dangling")), Err(Error::NotFound { .. })));
        assert!(matches!(root.directory(Path::new("../../etc")), Err(Error::NotFound { .. })));
    }
}
