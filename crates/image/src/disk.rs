//! Files that are whole or absent, and directories that vanish unless they are kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells what could not be done to which file.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}", .path.display())]
pub struct Error {
    /// What was being done.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error { action, path, source }
}

/// Puts a file in place such that a crash leaves the old one or the new one, on disk.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let half_made = path.with_extension("half");
    let written = write_synced(&half_made, bytes).and_then(|()| {
        fs::rename(&half_made, path).map_err(failed("write", path))?;
        sync_directory_of(path)
    });
    if written.is_err() {
        // Best effort: what stays is overwritten by the next attempt and swept at the next start.
        let _ = fs::remove_file(&half_made);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}

fn sync_directory_of(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|file| file.sync_all()).map_err(failed("sync", directory))
}

pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(failed("make directory", path))
}

/// Reads a file that may be absent.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// A directory for something half-made; removed with all in it unless moved away.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
}

impl Staging {
    pub(crate) fn make(below: &Path) -> Result<Self, Error> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = below.join(format!("{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(failed("make directory", &path))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the directory to where it is to stay.
    pub(crate) fn keep_as(self, target: &Path) -> Result<(), Error> {
        fs::rename(&self.path, target).map_err(failed("move into place", target))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "half-made directory stays behind")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_keeps_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        write_whole(&path, b"old").unwrap();
        fs::create_dir(directory.path().join("x.half")).unwrap();

        let error = write_whole(&path, b"new").unwrap_err();

        assert!(error.to_string().contains("x.half"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn staging_vanishes_unless_kept() {
        let directory = tempfile::tempdir().unwrap();
        let dropped = Staging::make(directory.path()).unwrap();
        fs::write(dropped.path().join("file"), b"x").unwrap();
        let kept = Staging::make(directory.path()).unwrap();

        kept.keep_as(&directory.path().join("kept")).unwrap();
        drop(dropped);

        let names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }
}
