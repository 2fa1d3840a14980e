//! Delivers the logs that a manager asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use model::{NodeId, TaskId, Timestamp};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;

use crate::runtime::{LogsWanted, Runtime};

/// How many lines wait to be sent; a slow reader slows the reading of the file, not the container.
const LINES_WAITING: usize = 256;
/// The stream number of an error message, as in Docker's framing.
const STREAM_ERROR: u32 = 3;

/// The log queries that are being answered.
#[derive(Default)]
pub(crate) struct Logs {
    answering: BTreeMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Logs {
    /// Begins to answer a query over its own call to the manager.
    pub fn answer(
        &mut self,
        query: pb::LogQuery,
        node: NodeId,
        runtime: Arc<dyn Runtime>,
        mut client: DispatcherClient<Channel>,
    ) {
        while self.tasks.try_join_next().is_some() {}
        self.answering.retain(|_, answer| !answer.is_finished());
        let id = query.id.clone();
        let handle = self.tasks.spawn(async move {
            let (lines, sending) = mpsc::channel(LINES_WAITING);
            let read = read_all(query, node, runtime, lines);
            let send = client.publish_logs(ReceiverStream::new(sending));
            tokio::pin!(send);
            let sent = tokio::select! {
                // The manager hangs up when nobody reads any more.
                sent = &mut send => sent,
                () = read => send.await,
            };
            if let Err(status) = sent {
                tracing::debug!(%status, "the manager took no more log lines");
            }
        });
        if let Some(former) = self.answering.insert(id, handle) {
            former.abort();
        }
    }

    /// Stops answering a query.
    pub fn end(&mut self, id: &str) {
        if let Some(handle) = self.answering.remove(id) {
            handle.abort();
        }
    }
}

async fn read_all(
    query: pb::LogQuery,
    node: NodeId,
    runtime: Arc<dyn Runtime>,
    lines: mpsc::Sender<pb::LogRecord>,
) {
    // The first record names the query, so that the manager knows whose lines follow.
    let opening =
        pb::LogRecord { query_id: query.id.clone(), node_id: node.to_string(), ..Default::default() };
    if lines.send(opening).await.is_err() {
        return;
    }
    let mut readers = JoinSet::new();
    for task in query.task_ids.iter().filter_map(|task| task.parse::<TaskId>().ok()) {
        readers.spawn(read_one(query.clone(), task, node, runtime.clone(), lines.clone()));
    }
    drop(lines);
    while readers.join_next().await.is_some() {}
}

async fn read_one(
    query: pb::LogQuery,
    task: TaskId,
    node: NodeId,
    runtime: Arc<dyn Runtime>,
    lines: mpsc::Sender<pb::LogRecord>,
) {
    let record = |stream: u32, at: Timestamp, line: bytes::Bytes| pb::LogRecord {
        query_id: query.id.clone(),
        task_id: task.to_string(),
        node_id: node.to_string(),
        stream,
        at_ns: at.0,
        line,
    };
    let wanted = LogsWanted {
        follow: query.follow,
        stdout: query.stdout,
        stderr: query.stderr,
        since: (query.since_ns != 0).then_some(Timestamp(query.since_ns)),
        tail: usize::try_from(query.tail).ok(),
    };
    let mut stream = match runtime.logs(task, wanted).await {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!("Error grabbing logs: {error}\n");
            let _reader_gone = lines.send(record(STREAM_ERROR, Timestamp(0), text.into())).await;
            return;
        }
    };
    while let Some(line) = stream.next().await {
        let record = match line {
            Ok(line) => record(line.stream.into(), line.at, line.line),
            Err(error) => {
                record(STREAM_ERROR, Timestamp(0), format!("Error grabbing logs: {error}\n").into())
            }
        };
        if lines.send(record).await.is_err() {
            return;
        }
    }
}
