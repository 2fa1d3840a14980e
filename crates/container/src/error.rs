//! What can go wrong with a container.

use std::io;
use std::path::PathBuf;

/// Says which container could not be handled, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container has this id.
    #[error("no such container: {id}")]
    NotFound {
        /// The id asked for.
        id: String,
    },
    /// The id is taken.
    #[error("container {id} exists already; remove it first")]
    Exists {
        /// The id asked for.
        id: String,
    },
    /// The spec cannot be carried out as written.
    #[error("invalid container spec: {reason}")]
    InvalidSpec {
        /// Which value, and what is wrong with it.
        reason: String,
    },
    /// A bind mount's source is missing.
    #[error("bind source path does not exist: {path}; create it on this host first")]
    BindSource {
        /// The missing path.
        path: PathBuf,
    },
    /// The program cannot be executed; worded as Docker does.
    #[error("{message}")]
    Command {
        /// Docker's words.
        message: String,
        /// 126 if it is no program, 127 if it is not found.
        code: i32,
    },
    /// The root knows no such user or group; worded as Docker does.
    #[error("{message}")]
    User {
        /// Docker's words.
        message: String,
    },
    /// The container could not be prepared.
    #[error("container {id} could not be prepared: {reason}")]
    Setup {
        /// The container.
        id: String,
        /// The cause, as the shim tells it.
        reason: String,
    },
    /// It must run for this.
    #[error("container {id} is not running")]
    NotRunning {
        /// The container.
        id: String,
    },
    /// It stands still already.
    #[error("container {id} is already paused")]
    Paused {
        /// The container.
        id: String,
    },
    /// It must stand still for this.
    #[error("container {id} is not paused")]
    NotPaused {
        /// The container.
        id: String,
    },
    /// It has no further process of this id that runs.
    #[error("no such exec instance in container {id}")]
    NoExec {
        /// The container.
        id: String,
    },
    /// The id of a further process is taken.
    #[error("container {id} has an exec instance of this id already")]
    ExecExists {
        /// The container.
        id: String,
    },
    /// The kernel does not keep these limits.
    #[error("limits of container {id} cannot be changed: {reason}")]
    Limits {
        /// The container.
        id: String,
        /// Which value was refused, and how.
        reason: String,
    },
    /// It must not run for this.
    #[error("container {id} is running; stop it first or remove it by force")]
    Running {
        /// The container.
        id: String,
    },
    /// The shim ended before it could answer.
    #[error("the shim of container {id} has ended")]
    ShimGone {
        /// The container.
        id: String,
    },
    /// The shim did not end in time.
    #[error(
        "the shim of container {id} still runs {seconds} s after the kill signal; look at its process state"
    )]
    Stuck {
        /// The container.
        id: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The host refused something.
    #[error("{doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The host's answer.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { doing, path, source }
    }
}
