//! Makes files below a directory of a root, replacing what is in their place.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, ResolveFlag, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{
    FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, futimens, makedev, mkdirat, mknodat,
    umask, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, linkat, symlinkat, unlinkat};

use crate::entry::{Entry, Kind, format_of, is_directory, is_same};
use crate::unpack::{Owner, Replace};
use crate::walk::{DEPTH_MAX, names};
use crate::{Error, Root, attribute};

const COPY_BYTES: usize = 128 << 10;
/// Runs of zeros of this length become holes; the block size of common filesystems.
const HOLE_BYTES: usize = 4096;

/// Fills a directory of a root.
pub(crate) struct Maker<'r> {
    root: &'r Root,
    base: PathBuf,
    owner: Owner,
    replace: Replace,
    /// The directory used last: trees list the files of a directory together.
    recent: Option<(PathBuf, Rc<OwnedFd>)>,
    /// Directories get their times last: filling them changes them.
    times: Vec<(PathBuf, (i64, u32))>,
    buffer: Vec<u8>,
}

/// Is where an entry shall be.
struct Place {
    parent: Rc<OwnedFd>,
    name: OsString,
    /// Inside the root, for errors.
    shown: PathBuf,
}

impl<'r> Maker<'r> {
    pub(crate) fn new(root: &'r Root, base: &Path, owner: Owner, replace: Replace) -> Result<Self, Error> {
        root.directory(base)?;
        let base = base.to_owned();
        Ok(Self { root, base, owner, replace, recent: None, times: Vec::new(), buffer: vec![0; COPY_BYTES] })
    }

    /// Makes an entry whose path is clean; its content is read from `content`.
    pub(crate) fn make(&mut self, entry: &Entry, path: &Path, content: &mut dyn Read) -> Result<(), Error> {
        let Some(name) = path.file_name() else { return Err(Error::refused(&entry.path, "it has no name")) };
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        let place = Place { parent, name: name.to_owned(), shown: self.base.join(path) };
        let present = place.stat()?;
        if entry.kind == Kind::HardLink {
            return self.hard_link(entry, &place, present.as_ref());
        }
        self.make_room(entry, &place, present.as_ref())?;
        match entry.kind {
            Kind::File => self.file(entry, &place, content),
            Kind::Directory => self.make_directory(entry, &place, path),
            Kind::Symlink => self.symlink(entry, &place),
            Kind::CharDevice => self.node(entry, &place, SFlag::S_IFCHR),
            Kind::BlockDevice => self.node(entry, &place, SFlag::S_IFBLK),
            Kind::Fifo => self.node(entry, &place, SFlag::S_IFIFO),
            Kind::HardLink => Ok(()),
        }
    }

    /// Gives the directory that is filled itself owner, mode, attributes and times.
    pub(crate) fn set_top(&mut self, entry: &Entry) -> Result<(), Error> {
        let base = self.base.clone();
        let top = self.root.resolve(&base, OFlag::O_RDONLY | OFlag::O_DIRECTORY, ResolveFlag::empty());
        let top = top.map_err(Error::at("open", &base))?;
        self.settle(entry, &File::from(top), &base)?;
        self.times.push((PathBuf::new(), entry.mtime));
        Ok(())
    }

    /// Gives directories their times, as far as they are still there.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        for (path, mtime) in std::mem::take(&mut self.times).into_iter().rev() {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let full = self.base.join(&path);
            if let Ok(directory) = self.root.resolve(&full, flags, ResolveFlag::empty()) {
                set_times(&directory, mtime).map_err(Error::at("set the times of", &full))?;
            }
        }
        Ok(())
    }

    /// Opens a directory of the tree, making those that are missing.
    fn directory(&mut self, path: &Path) -> Result<Rc<OwnedFd>, Error> {
        if let Some((recent, directory)) = &self.recent
            && recent == path
        {
            return Ok(Rc::clone(directory));
        }
        if path.components().count() > DEPTH_MAX {
            return Err(Error::TooDeep { path: path.to_owned(), depth_max: DEPTH_MAX });
        }
        let directory = match self.root.directory(&self.base.join(path)) {
            Err(Error::NotFound { .. }) => self.make_directories(path)?,
            result => result?,
        };
        let directory = Rc::new(directory);
        self.recent = Some((path.to_owned(), Rc::clone(&directory)));
        Ok(directory)
    }

    fn make_directories(&self, path: &Path) -> Result<OwnedFd, Error> {
        let mut here = self.base.clone();
        let mut directory = self.root.directory(&here)?;
        for name in path.components() {
            here.push(name);
            directory = match self.root.directory(&here) {
                Err(Error::NotFound { .. }) => {
                    let made = match make_directory(&directory, name.as_os_str()) {
                        Err(Errno::EEXIST) => {
                            let shown = here.as_os_str().as_bytes();
                            return Err(Error::refused(shown, "its path leads through a link to nothing"));
                        }
                        result => result.map_err(Error::at("make", &here))?,
                    };
                    fchmod(&made, Mode::from_bits_truncate(0o755))
                        .map_err(Error::at("set the mode of", &here))?;
                    made.into()
                }
                result => result?,
            };
        }
        Ok(directory)
    }

    /// Takes away what is in the way, if that is allowed.
    fn make_room(&mut self, entry: &Entry, place: &Place, present: Option<&FileStat>) -> Result<(), Error> {
        let Some(present) = present else { return Ok(()) };
        let was = is_directory(present);
        let becomes = entry.kind == Kind::Directory;
        if was && becomes {
            return Ok(());
        }
        if was != becomes && self.replace == Replace::SameKind {
            let entry = String::from_utf8_lossy(&entry.path).into_owned();
            return Err(Error::Overwrite { path: place.shown.clone(), entry, is_directory: was });
        }
        // The directory used last may be inside what goes away.
        self.recent = None;
        remove(&place.parent, &place.name, 0).map_err(Error::at("replace", &place.shown))
    }

    fn file(&mut self, entry: &Entry, place: &Place, content: &mut dyn Read) -> Result<(), Error> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(&*place.parent, place.name.as_os_str(), flags, Mode::from_bits_truncate(0o600));
        let mut file = File::from(opened.map_err(Error::at("make", &place.shown))?);
        let written = self.content(entry, &mut file, place, content);
        if let Err(error) = written {
            // Half a file is worse than none.
            let _ = unlinkat(&*place.parent, place.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
            return Err(error);
        }
        self.settle(entry, &file, &place.shown)?;
        set_times(&file, entry.mtime).map_err(Error::at("set the times of", &place.shown))
    }

    /// Writes a file's content, leaving holes for zeros.
    fn content(
        &mut self,
        entry: &Entry,
        file: &mut File,
        place: &Place,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let failed = Error::file("write", &place.shown);
        let (mut at, mut hole) = (0, 0);
        while at < entry.size {
            let want = self.buffer.len().min(usize::try_from(entry.size - at).unwrap_or(usize::MAX));
            let count = match content.read(&mut self.buffer[..want]) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(Error::Read)?,
            };
            at += count as u64;
            write_sparse(file, &self.buffer[..count], &mut hole).map_err(&failed)?;
        }
        // A file that shrank while it was copied is filled up, as in an archive.
        if hole > 0 || at < entry.size {
            file.set_len(entry.size).map_err(&failed)?;
        }
        Ok(())
    }

    fn make_directory(&mut self, entry: &Entry, place: &Place, path: &Path) -> Result<(), Error> {
        let directory = match make_directory(&place.parent, &place.name) {
            Err(Errno::EEXIST) => open_directory(&place.parent, &place.name),
            result => result,
        };
        let directory = directory.map_err(Error::at("make", &place.shown))?;
        self.settle(entry, &directory, &place.shown)?;
        self.times.push((path.to_owned(), entry.mtime));
        Ok(())
    }

    fn symlink(&self, entry: &Entry, place: &Place) -> Result<(), Error> {
        let failed = Error::at("make the link", &place.shown);
        symlinkat(OsStr::from_bytes(&entry.link), &*place.parent, place.name.as_os_str()).map_err(&failed)?;
        self.own(entry, place, SFlag::S_IFLNK)
    }

    /// Makes a device or named pipe with its mode: to set that later, it would have to be opened.
    fn node(&self, entry: &Entry, place: &Place, kind: SFlag) -> Result<(), Error> {
        let (parent, name): (&OwnedFd, _) = (&place.parent, place.name.as_os_str());
        let device = makedev(u64::from(entry.device.0), u64::from(entry.device.1));
        let mode = Mode::from_bits_truncate(entry.mode);
        without_mask(|| mknodat(parent, name, kind, mode, device))
            .map_err(Error::at("make", &place.shown))?;
        self.own(entry, place, kind)
    }

    /// Gives owner and time to what cannot be opened.
    fn own(&self, entry: &Entry, place: &Place, kind: SFlag) -> Result<(), Error> {
        let failed = Error::at("set the owner of", &place.shown);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let made = openat(&*place.parent, place.name.as_os_str(), flags, Mode::empty()).map_err(&failed)?;
        if format_of(&fstat(&made).map_err(&failed)?) != kind {
            return Err(failed(Errno::ESTALE));
        }
        let (uid, gid) = self.owner_of(entry);
        fchownat(&made, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH).map_err(&failed)?;
        let time = time_of(entry.mtime);
        let flags = UtimensatFlags::NoFollowSymlink;
        tolerate_time(utimensat(&*place.parent, place.name.as_os_str(), &time, &time, flags))
            .map_err(Error::at("set the times of", &place.shown))
    }

    /// Gives a file or directory all but its times. Owner first: changing it takes away set-uid bits and capabilities.
    fn settle(&self, entry: &Entry, file: &File, shown: &Path) -> Result<(), Error> {
        let (uid, gid) = self.owner_of(entry);
        fchown(file, Some(uid), Some(gid)).map_err(Error::at("set the owner of", shown))?;
        let mode = Mode::from_bits_truncate(entry.mode);
        fchmod(file, mode).map_err(Error::at("set the mode of", shown))?;
        attribute::write(file, &entry.xattrs).map_err(Error::file("set the attributes of", shown))
    }

    fn owner_of(&self, entry: &Entry) -> (Uid, Gid) {
        match self.owner {
            Owner::AsPacked => (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid)),
            Owner::All { uid, gid } => (Uid::from_raw(uid), Gid::from_raw(gid)),
        }
    }

    fn hard_link(&mut self, entry: &Entry, place: &Place, present: Option<&FileStat>) -> Result<(), Error> {
        let refused = |reason| Error::refused(&entry.path, reason);
        let path =
            clean(&entry.link).map_err(|_| refused("it is a hard link that leads out of the archive"))?;
        let Some(name) = path.file_name() else { return Err(refused("it is a hard link to a directory")) };
        let target = self.base.join(path.parent().unwrap_or(Path::new("")));
        let missing = || refused("it is a hard link to a file that is not there");
        let target = self.root.directory(&target).map_err(|_| missing())?;
        let stat = fstatat(&target, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if is_directory(&stat) {
            return Err(refused("it is a hard link to a directory"));
        }
        if present.is_some_and(|present| is_same(present, &stat)) {
            return Ok(());
        }
        self.make_room(entry, place, present)?;
        linkat(&target, name, &*place.parent, place.name.as_os_str(), AtFlags::empty())
            .map_err(Error::at("make the hard link", &place.shown))
    }
}

impl Place {
    fn stat(&self) -> Result<Option<FileStat>, Error> {
        match fstatat(&*self.parent, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::at("look at", &self.shown)(errno)),
        }
    }
}

/// Returns the path of an entry below the directory that is filled; a slash at its begin means that directory.
pub(crate) fn clean(path: &[u8]) -> Result<PathBuf, Error> {
    /// Linux's own limit.
    const PATH_BYTES_MAX: usize = 4096;
    if path.len() > PATH_BYTES_MAX {
        return Err(Error::refused(path, "its name is longer than 4096 bytes"));
    }
    if path.contains(&0) {
        return Err(Error::refused(path, "its name holds a zero byte"));
    }
    let mut clean = PathBuf::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if clean.pop() => {}
            b".." => return Err(Error::refused(path, "it leads out of the archive with \"..\"")),
            name => clean.push(OsStr::from_bytes(name)),
        }
    }
    Ok(clean)
}

/// Writes the bytes that are not zero, and moves over the others.
fn write_sparse(file: &mut File, bytes: &[u8], hole: &mut u64) -> io::Result<()> {
    let mut solid = 0..0;
    for start in (0..bytes.len()).step_by(HOLE_BYTES) {
        let end = bytes.len().min(start + HOLE_BYTES);
        if bytes[start..end].iter().any(|byte| *byte != 0) {
            if solid.is_empty() {
                file.seek(SeekFrom::Current(i64::try_from(*hole).unwrap_or(i64::MAX)))?;
                (*hole, solid.start) = (0, start);
            }
            solid.end = end;
            continue;
        }
        file.write_all(&bytes[solid])?;
        solid = end..end;
        *hole += (end - start) as u64;
    }
    file.write_all(&bytes[solid])
}

fn make_directory(parent: &OwnedFd, name: &OsStr) -> nix::Result<File> {
    mkdirat(parent, name, Mode::from_bits_truncate(0o700))?;
    open_directory(parent, name)
}

fn open_directory(parent: &OwnedFd, name: &OsStr) -> nix::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty()).map(File::from)
}

/// Removes a file or a whole tree, following no link.
fn remove(parent: &OwnedFd, name: &OsStr, depth: usize) -> nix::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) if depth <= DEPTH_MAX => {}
        result => return result,
    }
    let directory = OwnedFd::from(open_directory(parent, name)?);
    for below in names(&directory)? {
        match remove(&directory, &below, depth + 1) {
            Err(Errno::ENOENT) => {}
            result => result?,
        }
    }
    unlinkat(parent, name, UnlinkatFlags::RemoveDir)
}

/// Runs on a thread whose file mode mask is empty; a process's threads share theirs otherwise.
fn without_mask(work: impl FnOnce() -> nix::Result<()> + Send) -> nix::Result<()> {
    let run = || {
        unshare(CloneFlags::CLONE_FS)?;
        umask(Mode::empty());
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or(Err(Errno::EIO)))
}

fn time_of((seconds, nanoseconds): (i64, u32)) -> TimeSpec {
    TimeSpec::new(seconds, i64::from(nanoseconds))
}

fn set_times(file: impl AsFd, mtime: (i64, u32)) -> nix::Result<()> {
    let time = time_of(mtime);
    tolerate_time(futimens(file, &time, &time))
}

/// Filesystems cannot hold every year an archive can; the time of unpacking stays.
fn tolerate_time(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::EINVAL | Errno::EOVERFLOW) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"a/b", Some("a/b")),
            (b"/etc/x", Some("etc/x")),
            (b"./a//b/./", Some("a/b")),
            (b"a/../b", Some("b")),
            (b".", Some("")),
            (b"", Some("")),
            (b"../x", None),
            (b"a/../../x", None),
            (b"a\0b", None),
        ];
        for (path, expected) in cases {
            let found = clean(path).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{}", String::from_utf8_lossy(path));
        }
        assert!(clean(&[b'x'; 5000]).is_err());
    }
}
