//! What the agent needs of its host.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use model::{Description, PublishedPort, Spec, Task, TaskId, Timestamp};

use crate::NetworkState;

/// What the agent needs of its host. Implemented where containers, images and networks are known.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Fetches the image, attaches the networks and makes the container, so that it can be started
    /// at once. What was half made is removed before an error is returned. A task that is stopped
    /// meanwhile drops this future; what it left is then gone after `stop`, `release` and `remove`.
    async fn prepare(&self, order: &Order) -> Result<String, Error>;

    /// Starts the container that `prepare` made; one that runs goes on.
    async fn start(&self, task: TaskId) -> Result<Started, Error>;

    /// Returns when the task's container can do its work: at once without a health check, and also when it has
    /// ended. An error if it turns out not to be well.
    async fn until_ready(&self, task: TaskId) -> Result<(), Error>;

    /// Returns when the task's container has ended; at once, if it already has. An error if it is not well any more.
    async fn wait(&self, task: TaskId) -> Result<Exit, Error>;

    /// Asks the container to stop, and kills it after its grace period. Returns once it has ended.
    async fn stop(&self, order: &Order) -> Result<Exit, Error>;

    /// Gives back what only a running container needs. Its files and logs stay.
    async fn release(&self, task: TaskId);

    /// Removes the container with its files and logs. It is no error if there is none.
    async fn remove(&self, task: TaskId) -> Result<(), Error>;

    /// Returns the containers of tasks that are on this host, also those made by an earlier process.
    async fn seen(&self) -> Result<Vec<Seen>, Error>;

    /// Returns the lines that a task's container wrote.
    async fn logs(&self, task: TaskId, wanted: LogsWanted) -> Result<LogStream, Error>;

    /// Packs what is in a volume of this host.
    async fn export_volume(&self, name: &str) -> Result<Archive, Refusal>;

    /// Unpacks an archive into a volume of this host, made if there is none of this name. An archive that breaks off
    /// is an error.
    async fn import_volume(&self, name: &str, onto: Onto, archive: Archive) -> Result<(), Refusal>;

    /// Puts networks and published ports into force.
    async fn apply_networks(&self, state: NetworkState) -> Result<(), Error>;

    /// Describes this host.
    fn description(&self) -> Description;
}

/// What a runner is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The task.
    pub task: Arc<Task>,
    /// The spec it is made from.
    pub spec: Arc<Spec>,
    /// Its networks, as far as this node knows them.
    pub networks: Vec<wire::assignment::Network>,
}

impl Order {
    /// Returns the name of the task's container.
    pub fn container_name(&self) -> String {
        wire::assignment::container_name(&self.task, &self.spec.service_name)
    }
}

/// A container that was started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// Its process id.
    pub pid: u32,
    /// Its host-mode ports as given out.
    pub ports: Vec<PublishedPort>,
}

/// A container that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// Whether it ran out of memory.
    pub out_of_memory: bool,
}

/// A task's container found on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: TaskId,
    /// The container.
    pub container_id: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Made, not started.
    Created,
    /// Running under this process id.
    Running(u32),
    /// Ended.
    Exited(Exit),
}

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogsWanted {
    /// Whether to go on with lines to come.
    pub follow: bool,
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
    /// The earliest time.
    pub since: Option<Timestamp>,
    /// How many of the last lines.
    pub tail: Option<usize>,
}

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 1 for standard output, 2 for standard error.
    pub stream: u8,
    /// When it was written.
    pub at: Timestamp,
    /// The line, with its end.
    pub line: Bytes,
}

/// The lines of a log.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<LogLine, Error>> + Send>>;

/// An archive on its way; after an error comes nothing.
pub type Archive = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// What an archive may be unpacked onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// A volume that holds nothing.
    Nothing,
    /// Whatever the volume holds.
    Anything,
}

/// Why a volume is not carried, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// How it is to be taken.
    pub kind: RefusalKind,
    /// What is wrong, with its causes.
    pub message: String,
}

/// How a refusal is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such volume.
    NotFound,
    /// What the volume holds forbids it.
    Conflict,
    /// The request or the archive is wrong in itself.
    Invalid,
    /// Something failed that should not.
    Failed,
}

/// Why the host could not do it, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, with its causes.
    pub message: String,
}

impl Error {
    /// Makes an error from a text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
