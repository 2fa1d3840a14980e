//! What tasks and containers have said, for the Engine API.

use async_trait::async_trait;
use bytes::Bytes;
use dispatcher::Dispatcher;
use docker_api::ApiError;
use docker_api::engine::{ContainerLogs, LogLine, Logs, LogsWanted, Output};
use engine_json as json;
use model::{TaskId, Timestamp};
use tokio::sync::mpsc;

use super::Engine;
use super::refusal::told;

/// How many lines of logs wait for their reader.
const LINES_WAITING: usize = 256;

#[async_trait]
impl Logs for Engine {
    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine> {
        let (lines, receiver) = mpsc::channel(LINES_WAITING);
        if let Some(dispatcher) = self.member.dispatcher() {
            // It ends with its reader, or when every node has delivered.
            drop(tokio::spawn(pass_logs(dispatcher, tasks, wanted, lines)));
        }
        receiver
    }

    async fn container_logs(&self, name: &str, wanted: ContainerLogs) -> Result<Output, ApiError> {
        let ContainerLogs { lines, until, timestamps, details } = wanted;
        let LogsWanted { follow, stdout, stderr, since, tail } = lines;
        let wanted = engine::LogsWanted {
            follow,
            stdout,
            stderr,
            since: since.map(json::Time::from),
            until: until.map(json::Time::from),
            tail: tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX)),
            timestamps,
            details,
        };
        let logs = self.engine.logs(name, &wanted).map_err(told)?;
        let is_raw = logs.is_raw();
        let bytes = futures_util::stream::unfold(logs, |mut logs| async move {
            let piece = logs.next().await?;
            Some((Bytes::from(piece), logs))
        });
        Ok(Output { is_raw, bytes: Box::pin(bytes) })
    }
}

async fn pass_logs(
    dispatcher: Dispatcher,
    tasks: Vec<TaskId>,
    wanted: LogsWanted,
    lines: mpsc::Sender<LogLine>,
) {
    let LogsWanted { follow, stdout, stderr, since, tail } = wanted;
    let id = identity::random_id();
    let mut records =
        dispatcher.logs(id, tasks, dispatcher::LogsWanted { follow, stdout, stderr, since, tail });
    loop {
        let record = tokio::select! {
            record = records.recv() => record,
            () = lines.closed() => return,
        };
        let Some(record) = record else { return };
        let channel = match record.stream {
            // Records of stream 0 only name nodes that answer.
            0 => continue,
            1 => json::Channel::Stdout,
            2 => json::Channel::Stderr,
            _ => json::Channel::SystemError,
        };
        let task = record.task_id.parse().ok();
        let line = LogLine { task, channel, at: Timestamp(record.at_ns), line: record.line };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}
