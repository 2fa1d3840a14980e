//! A directory of a layer, read without ever following a link that a container made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::libc;

/// The attribute by which overlayfs knows a directory that hides those below it.
const OPAQUE: &std::ffi::CStr = c"trusted.overlay.opaque";

/// The top directory of a layer.
pub(crate) struct Layer(File);

impl Layer {
    pub(crate) fn open(path: &Path) -> io::Result<Layer> {
        File::open(path).map(Layer)
    }

    /// Opens a directory below it; none if there is none.
    pub(crate) fn dir(&self, path: &Path) -> io::Result<Option<File>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        open(&self.0, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// Looks at a file below it; none if there is none.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Option<Metadata>> {
        open(&self.0, path, OFlag::O_PATH)?.map(|file| file.metadata()).transpose()
    }

    /// Returns whether a directory below it hides those of the layers below.
    pub(crate) fn is_opaque(&self, path: &Path) -> bool {
        let Ok(Some(dir)) = self.dir(path) else { return false };
        let mut value = [0u8; 1];
        // SAFETY: the name is a C string and the buffer is as long as is said; both outlive the call.
        let length = unsafe {
            libc::fgetxattr(dir.as_raw_fd(), OPAQUE.as_ptr(), value.as_mut_ptr().cast(), value.len())
        };
        length == 1 && value == *b"y"
    }
}

/// Looks at a file of an opened directory; none if it is gone.
pub(crate) fn entry(dir: &File, name: &OsStr) -> io::Result<Option<Metadata>> {
    open(dir, Path::new(name), OFlag::O_PATH)?.map(|file| file.metadata()).transpose()
}

/// Lists what an opened directory holds.
pub(crate) fn names(dir: &File) -> io::Result<BTreeSet<OsString>> {
    let entries = fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))?;
    entries.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

fn open(dir: &File, path: &Path, flags: OFlag) -> io::Result<Option<File>> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    match openat2(dir, path, how) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
