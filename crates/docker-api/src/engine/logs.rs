//! What tasks and containers have said.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use engine_json as json;
use futures_util::Stream;
use model::{TaskId, Timestamp};
use tokio::sync::mpsc;

use crate::error::ApiError;

/// What tasks and containers have said.
#[async_trait]
pub trait Logs: Send + Sync + 'static {
    /// Reads the logs of tasks, wherever they run. It ends when the receiver is dropped.
    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine>;

    /// Reads the log of a container of this host.
    async fn container_logs(&self, name: &str, wanted: ContainerLogs) -> Result<Output, ApiError>;
}

/// Which lines of logs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogsWanted {
    /// Whether to go on with lines to come.
    pub follow: bool,
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
    /// The earliest time.
    pub since: Option<Timestamp>,
    /// How many of the last lines, of each task.
    pub tail: Option<u64>,
}

/// Which lines of a container's log are wanted, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerLogs {
    /// The lines.
    pub lines: LogsWanted,
    /// The latest time.
    pub until: Option<Timestamp>,
    /// Whether each line begins with its time.
    pub timestamps: bool,
    /// Whether each line begins with the labels and variables that the log's options name.
    pub details: bool,
}

/// A line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it comes from; none for what the system says about the logs themselves.
    pub task: Option<TaskId>,
    /// Its stream.
    pub channel: json::Channel,
    /// When it was written.
    pub at: Timestamp,
    /// The line, with its end.
    pub line: Bytes,
}

/// Output as it is sent to a client.
pub struct Output {
    /// Whether it is plain bytes, because it comes from a terminal; else it is in frames.
    pub is_raw: bool,
    /// The bytes.
    pub bytes: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
}
