//! Creates files below one directory and never anywhere else, whatever links the archive planted on the way.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use archive::Entry;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid};

use super::Error;

/// Directories inside directories; removal of deeper trees would run out of file descriptors.
const DEPTH_MAX: usize = 256;

/// A directory that is being filled.
pub(super) struct Tree {
    root: Rc<OwnedFd>,
    root_path: PathBuf,
    /// The directory used last: archives list the files of a directory together.
    recent: Option<(PathBuf, Rc<OwnedFd>)>,
}

/// A place for an entry: an open directory and a name in it.
pub(super) struct Spot {
    parent: Rc<OwnedFd>,
    name: OsString,
    shown: PathBuf,
}

impl Tree {
    pub(super) fn open(root_path: &Path) -> Result<Self, Error> {
        let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(root_path, how, Mode::empty()).map_err(Error::write(root_path))?;
        Ok(Self { root: Rc::new(root), root_path: root_path.to_owned(), recent: None })
    }

    /// Returns the place of a clean path, making the directories above it that are missing.
    pub(super) fn spot(&mut self, path: &Path) -> Result<Spot, Error> {
        let Some(name) = path.file_name() else { return Ok(self.spot_of_root()) };
        let name = name.to_owned();
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        Ok(Spot { parent, name, shown: self.root_path.join(path) })
    }

    pub(super) fn spot_of_root(&self) -> Spot {
        Spot { parent: Rc::clone(&self.root), name: ".".into(), shown: self.root_path.clone() }
    }

    fn directory(&mut self, path: &Path) -> Result<Rc<OwnedFd>, Error> {
        if path.as_os_str().is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some((recent, fd)) = &self.recent
            && recent == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = match self.resolve(path) {
            Err(Errno::ENOENT) => self.make_directories(path)?,
            other => other.map_err(Error::write(&self.root_path.join(path)))?,
        };
        self.check_depth(&fd, path)?;
        let fd = Rc::new(fd);
        self.recent = Some((path.to_owned(), Rc::clone(&fd)));
        Ok(fd)
    }

    /// The kernel follows links as if the tree were the root directory, as a container will.
    fn resolve(&self, path: &Path) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        nix::fcntl::openat2(&self.root, path, how)
    }

    fn make_directories(&self, path: &Path) -> Result<OwnedFd, Error> {
        let mut above = PathBuf::new();
        let mut fd = None;
        for name in path.components() {
            let here = above.join(name);
            let failed = Error::write(&self.root_path.join(&here));
            let found = match self.resolve(&here) {
                Err(Errno::ENOENT) => {
                    let parent = fd.as_ref().unwrap_or(&*self.root);
                    let name = name.as_os_str();
                    nix::sys::stat::mkdirat(parent, name, Mode::from_bits_truncate(0o755))
                        .map_err(&failed)?;
                    // The process's mask may have taken bits away.
                    let mode = Mode::from_bits_truncate(0o755);
                    nix::sys::stat::fchmodat(parent, name, mode, FchmodatFlags::FollowSymlink)
                        .map_err(&failed)?;
                    self.resolve(&here)
                }
                other => other,
            };
            fd = Some(found.map_err(&failed)?);
            above = here;
        }
        fd.ok_or_else(|| Error::write(&self.root_path)(Errno::EINVAL))
    }

    /// Links can lead deeper than any path an archive may write, so the real place counts.
    fn check_depth(&self, fd: &OwnedFd, path: &Path) -> Result<(), Error> {
        let too_deep = || Error::TooDeep { path: path.to_owned(), depth_max: DEPTH_MAX };
        let real = std::fs::read_link(proc_path(fd, None)).map_err(|_| too_deep())?;
        let depth = real.components().count().saturating_sub(self.root_path.components().count());
        if depth > DEPTH_MAX { Err(too_deep()) } else { Ok(()) }
    }

    /// Makes an entry, replacing whatever else has its name.
    pub(super) fn make<T>(
        &mut self,
        spot: &Spot,
        make: impl Fn(&Spot) -> nix::Result<T>,
    ) -> Result<T, Error> {
        match make(spot) {
            Err(Errno::EEXIST) => {
                self.remove(spot)?;
                make(spot).map_err(spot.failed())
            }
            other => other.map_err(spot.failed()),
        }
    }

    pub(super) fn remove(&mut self, spot: &Spot) -> Result<(), Error> {
        // The directory used last may be inside what goes away.
        self.recent = None;
        let path = proc_path(&spot.parent, Some(&spot.name));
        let removed = match spot.kind()? {
            None => Ok(()),
            Some(SFlag::S_IFDIR) => std::fs::remove_dir_all(path),
            Some(_) => std::fs::remove_file(path),
        };
        removed.map_err(|source| Error::Write { path: spot.shown.clone(), source })
    }
}

impl Spot {
    fn failed(&self) -> impl Fn(Errno) -> Error {
        Error::write(&self.shown)
    }

    /// Returns what has this name, links not followed.
    pub(super) fn kind(&self) -> Result<Option<SFlag>, Error> {
        match nix::sys::stat::fstatat(&self.parent, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.failed()(errno)),
        }
    }

    /// Returns whether a whiteout has this name.
    pub(super) fn is_whiteout(&self) -> Result<bool, Error> {
        match nix::sys::stat::fstatat(&self.parent, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits() && stat.st_rdev == 0),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.failed()(errno)),
        }
    }

    pub(super) fn file(&self) -> nix::Result<File> {
        let how = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd =
            nix::fcntl::openat(&self.parent, self.name.as_os_str(), how, Mode::from_bits_truncate(0o600))?;
        Ok(File::from(fd))
    }

    pub(super) fn directory(&self) -> nix::Result<()> {
        nix::sys::stat::mkdirat(&self.parent, self.name.as_os_str(), Mode::from_bits_truncate(0o700))
    }

    pub(super) fn symlink(&self, target: &[u8]) -> nix::Result<()> {
        nix::unistd::symlinkat(OsStr::from_bytes(target), &self.parent, self.name.as_os_str())
    }

    pub(super) fn hard_link(&self, target: &Spot) -> nix::Result<()> {
        let (from, to) = (target.name.as_os_str(), self.name.as_os_str());
        nix::unistd::linkat(&target.parent, from, &self.parent, to, AtFlags::empty())
    }

    pub(super) fn node(&self, kind: SFlag, (major, minor): (u32, u32)) -> nix::Result<()> {
        let device = nix::sys::stat::makedev(u64::from(major), u64::from(minor));
        nix::sys::stat::mknodat(&self.parent, self.name.as_os_str(), kind, Mode::empty(), device)
    }

    pub(super) fn set_owner(&self, entry: &Entry) -> Result<(), Error> {
        let (owner, group) = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        nix::unistd::fchownat(&self.parent, self.name.as_os_str(), owner, group, flags).map_err(self.failed())
    }

    /// Must not be called on a link: its target's mode would change.
    pub(super) fn set_mode(&self, mode: u32) -> Result<(), Error> {
        let (mode, flags) = (Mode::from_bits_truncate(mode), FchmodatFlags::FollowSymlink);
        nix::sys::stat::fchmodat(&self.parent, self.name.as_os_str(), mode, flags).map_err(self.failed())
    }

    pub(super) fn set_time(&self, time: (i64, u32)) -> Result<(), Error> {
        let time = TimeSpec::new(time.0, i64::from(time.1));
        let flags = UtimensatFlags::NoFollowSymlink;
        match nix::sys::stat::utimensat(&self.parent, self.name.as_os_str(), &time, &time, flags) {
            // Filesystems cannot hold every year a header can; the time of unpacking stays.
            Err(Errno::EINVAL | Errno::EOVERFLOW) => Ok(()),
            other => other.map_err(self.failed()),
        }
    }

    pub(super) fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        xattr::set(proc_path(&self.parent, Some(&self.name)), OsStr::from_bytes(name), value)
    }

    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }
}

/// A path to what an open directory holds; it ends in the name itself, so that a link there is not followed.
fn proc_path(fd: &OwnedFd, name: Option<&OsStr>) -> PathBuf {
    let mut path = format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes();
    if let Some(name) = name {
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
    }
    PathBuf::from(OsString::from_vec(path))
}
