use std::io;
use std::path::{Path, PathBuf};

/// Why the log or a snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No space is left; nothing was lost and the write can be tried again.
    #[error("no space left on the disk that holds {path}: free some, writes then go on by themselves")]
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file is not what was once written to it.
    #[error(
        "{path} is damaged ({what}): stop, then put the folder back from a backup, or move it away and \
         join this manager anew through a healthy one"
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The folder is used in a way its content does not allow.
    #[error("{path} {what}")]
    Unsuitable {
        /// The folder.
        path: PathBuf,
        /// Why not, and what to do.
        what: String,
    },
    /// The write was cut short by a simulated crash.
    #[cfg(test)]
    #[error("crashed")]
    Crashed,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { action, path, source },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), what: what.into() }
    }
}
