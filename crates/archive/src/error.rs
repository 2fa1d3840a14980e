//! Why a tree could not be packed, unpacked or copied.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Tells why a tree could not be packed, unpacked or copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has this path.
    #[error("{}: no such file or directory", .path.display())]
    NotFound {
        /// The path inside the root.
        path: PathBuf,
    },
    /// The path leads through, or to, something else than a directory.
    #[error("{}: not a directory", .path.display())]
    NotADirectory {
        /// The path inside the root.
        path: PathBuf,
    },
    /// A directory would be replaced by something else, or something else by a directory.
    #[error("cannot overwrite {} {:?} with {} {entry:?}", if *.is_directory { "directory" } else { "non-directory" },
        .path.display().to_string(), if *.is_directory { "non-directory" } else { "directory" })]
    Overwrite {
        /// What is there.
        path: PathBuf,
        /// The entry of the archive.
        entry: String,
        /// Whether a directory is there.
        is_directory: bool,
    },
    /// An entry of the archive is not acceptable.
    #[error("refused archive entry {entry:?}: {reason}")]
    Refused {
        /// The entry as the archive names it.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Directories are nested too deep.
    #[error("{}: nested deeper than {depth_max} directories", .path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
        /// How deep directories may be nested.
        depth_max: usize,
    },
    /// The archive could not be read.
    #[error("read the archive")]
    Read(#[source] io::Error),
    /// The archive could not be written.
    #[error("write the archive")]
    Write(#[source] io::Error),
    /// The system refused something.
    #[error("{action} {}", .path.display())]
    File {
        /// What was done.
        action: &'static str,
        /// The path inside the root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Turns what the system said about a path into an error.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl Fn(Errno) -> Self + use<> {
        let path = path.to_owned();
        move |errno| {
            let path = path.clone();
            match errno {
                Errno::ENOENT => Self::NotFound { path },
                Errno::ENOTDIR => Self::NotADirectory { path },
                errno => Self::File { action, path, source: errno.into() },
            }
        }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path: path.clone(), source }
    }

    pub(crate) fn refused(entry: &[u8], reason: &'static str) -> Self {
        const SHOWN_BYTES_MAX: usize = 256;
        let shown = &entry[..entry.len().min(SHOWN_BYTES_MAX)];
        Self::Refused { entry: String::from_utf8_lossy(shown).into_owned(), reason }
    }
}
