//! The gRPC service and the loops beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use bytes::Bytes;
use consensus::Proposer;
use futures_util::{Stream, StreamExt};
use identity::Tls;
use model::{NodeId, TaskId, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;
use wire::pb::dispatcher_server::{self, DispatcherServer};

use crate::assignment::Managers;
use crate::intake::{Intake, Report};
use crate::log_broker::LogBroker;
use crate::relay::Relay;
use crate::session::{self, Session};
use crate::volumes::{self, Carriage, Onto, VolumeBroker, VolumeError};

/// How many messages wait for an agent; its session waits when it is full.
const OUTBOX_LENGTH: usize = 256;
/// How many lines wait for whoever asked for logs.
const LINES_WAITING: usize = 256;
/// How long the opening of a session waits for the leader; another manager may hear it.
const CURRENT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
/// Largest message an agent may send: a batch of 100,000 statuses of about 150 bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Which lines of logs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogsWanted {
    /// Whether to go on with lines to come.
    pub follow: bool,
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
    /// The earliest time; none means from the start.
    pub since: Option<Timestamp>,
    /// How many of the last lines per task; none means all.
    pub tail: Option<u64>,
}

/// Serves the sessions of agents.
#[derive(Clone)]
pub struct Dispatcher {
    proposer: Proposer,
    tls: Tls,
    managers: watch::Receiver<Managers>,
    reports: mpsc::Sender<Report>,
    heard: mpsc::UnboundedSender<NodeId>,
    logs: LogBroker,
    volumes: VolumeBroker,
}

impl Dispatcher {
    /// Makes a dispatcher, and the loops that must run beside its service.
    pub fn new(
        clock: fn() -> Timestamp,
        proposer: Proposer,
        tls: Tls,
        managers: watch::Receiver<Managers>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (reports, intake) = Intake::new(proposer.clone());
        let (heard, hearing) = mpsc::unbounded_channel();
        let relay = Relay { proposer: proposer.clone(), tls: tls.clone(), clock, heard: hearing };
        let loops = async move {
            tokio::join!(intake.run(), relay.run());
        };
        (
            Self {
                proposer,
                tls,
                managers,
                reports,
                heard,
                logs: LogBroker::default(),
                volumes: VolumeBroker::default(),
            },
            loops,
        )
    }

    /// Returns the gRPC service.
    pub fn service(&self) -> DispatcherServer<Self> {
        DispatcherServer::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Reads the logs of tasks on whatever nodes they are. Records with stream 0 name nodes that answer;
    /// nodes that cannot be asked give an error record. The reading ends when the receiver is dropped.
    pub fn logs(&self, id: String, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<pb::LogRecord> {
        let (lines, receiver) = mpsc::channel(LINES_WAITING);
        let query = pb::LogQuery {
            id,
            task_ids: tasks.iter().map(TaskId::to_string).collect(),
            follow: wanted.follow,
            stdout: wanted.stdout,
            stderr: wanted.stderr,
            since_ns: wanted.since.map_or(0, |since| since.0),
            tail: wanted.tail.map_or(-1, |tail| i64::try_from(tail).unwrap_or(i64::MAX)),
        };
        // It ends with its receiver: every send into a dropped one fails.
        drop(tokio::spawn(self.clone().read_everywhere(query, lines)));
        receiver
    }

    /// Packs what is in a volume of a node. The query's id names it in the cluster.
    pub async fn export_volume(
        &self,
        id: String,
        node: NodeId,
        volume: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, VolumeError>> + Send + 'static, VolumeError> {
        let carriage = self.open_volume(id, node, volume, pb::VolumeAction::Export).await?;
        volumes::archive_of(carriage).await
    }

    /// Unpacks an archive into a volume of a node, made if there is none of this name.
    pub async fn import_volume(
        &self,
        id: String,
        node: NodeId,
        volume: &str,
        onto: Onto,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send,
    ) -> Result<(), VolumeError> {
        let action = match onto {
            Onto::Nothing => pb::VolumeAction::Import,
            Onto::Anything => pb::VolumeAction::Merge,
        };
        volumes::send(self.open_volume(id, node, volume, action).await?, archive).await
    }

    async fn open_volume(
        &self,
        id: String,
        node: NodeId,
        volume: &str,
        action: pb::VolumeAction,
    ) -> Result<Carriage, VolumeError> {
        let (node_id, volume, action) = (node.to_string(), volume.to_owned(), action.into());
        let managers = self.managers.borrow().values().cloned().collect();
        volumes::open(managers, &self.tls, pb::VolumeQuery { id, node_id, volume, action }).await
    }

    /// Returns a view that holds everything acknowledged before. A manager that lags behind would tell a
    /// node to stop what another manager has just told it to run.
    async fn current(&self) -> Result<store::View, Status> {
        match tokio::time::timeout(CURRENT_TIMEOUT, self.proposer.current()).await {
            Ok(Ok(view)) => Ok(view),
            Ok(Err(error)) => Err(Status::unavailable(error.to_string())),
            Err(_) => Err(Status::unavailable("this manager does not hear from a leader")),
        }
    }

    async fn read_everywhere(self, query: pb::LogQuery, lines: mpsc::Sender<pb::LogRecord>) {
        let mut unanswered: BTreeSet<NodeId> = tasks_by_node(&self.proposer, &query).into_keys().collect();
        let addresses: Vec<String> = self.managers.borrow().values().cloned().collect();
        let mut readings = JoinSet::new();
        let (merged, mut records) = mpsc::channel(LINES_WAITING);
        for address in addresses {
            readings.spawn(read_at(address, self.tls.clone(), query.clone(), merged.clone()));
        }
        drop(merged);
        let mut asked = false;
        loop {
            tokio::select! {
                record = records.recv() => {
                    let Some(record) = record else { break };
                    if record.stream == 0 && let Ok(node) = record.node_id.parse() {
                        unanswered.remove(&node);
                    }
                    if lines.send(record).await.is_err() {
                        return;
                    }
                }
                () = lines.closed() => return,
                // Every manager names its nodes at once; who is not named by then is not connected.
                () = tokio::time::sleep(std::time::Duration::from_secs(2)), if !asked => {
                    asked = true;
                    complain(&self.proposer, &unanswered, &lines).await;
                }
            }
        }
        if !asked {
            complain(&self.proposer, &unanswered, &lines).await;
        }
    }
}

/// Says for each node that did not answer that its logs are missing.
async fn complain(proposer: &Proposer, nodes: &BTreeSet<NodeId>, lines: &mpsc::Sender<pb::LogRecord>) {
    let view = proposer.view();
    for id in nodes {
        let description = view.node(*id).and_then(|node| node.description.as_ref());
        let name = description.map_or_else(|| id.to_string(), |description| description.hostname.clone());
        let line = format!("incomplete log stream: node {name} is not connected to any manager\n").into();
        let record = pb::LogRecord { node_id: id.to_string(), stream: 3, line, ..Default::default() };
        if lines.send(record).await.is_err() {
            return;
        }
    }
}

/// Reads what the agents connected to one manager deliver.
async fn read_at(address: String, tls: Tls, query: pb::LogQuery, lines: mpsc::Sender<pb::LogRecord>) {
    let mut client = DispatcherClient::new(identity::channel(&address, &tls));
    let mut records = match client.logs(query).await {
        Ok(records) => records.into_inner(),
        Err(status) => {
            tracing::debug!(manager = %address, %status, "a manager gives no logs");
            return;
        }
    };
    while let Ok(Some(record)) = records.message().await {
        if lines.send(record).await.is_err() {
            return;
        }
    }
}

fn tasks_by_node(proposer: &Proposer, query: &pb::LogQuery) -> BTreeMap<NodeId, Vec<TaskId>> {
    let view = proposer.view();
    let mut tasks: BTreeMap<NodeId, Vec<TaskId>> = BTreeMap::new();
    for id in query.task_ids.iter().filter_map(|id| id.parse().ok()) {
        if let Some(node) = view.task(id).and_then(|task| task.node) {
            tasks.entry(node).or_default().push(id);
        }
    }
    tasks
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl dispatcher_server::Dispatcher for Dispatcher {
    type SessionStream = Responses<pb::ManagerMessage>;
    type LogsStream = Responses<pb::LogRecord>;
    type CarryVolumeStream = Responses<pb::VolumePiece>;
    type DeliverVolumeStream = Responses<pb::VolumePiece>;

    async fn session(
        &self,
        request: Request<Streaming<pb::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let peer = identity::require_node(&request)?;
        let node: NodeId =
            peer.node_id.parse().map_err(|_| Status::internal("the certificate names no node id"))?;
        let view = self.current().await?;
        if view.node(node).is_none() {
            return Err(Status::permission_denied(format!("node {node} is not part of this cluster")));
        }
        let (outbox, outgoing) = mpsc::channel(OUTBOX_LENGTH);
        let welcome = pb::manager_message::Kind::Welcome(session::welcome(node, &view));
        let welcome = pb::ManagerMessage { kind: Some(welcome) };
        outbox.try_send(welcome).map_err(|_| Status::internal("a fresh outbox takes its first message"))?;
        let session = Session {
            node,
            proposer: self.proposer.clone(),
            managers: self.managers.clone(),
            reports: self.reports.clone(),
            heard: self.heard.clone(),
            outbox: outbox.clone(),
        };
        self.logs.connected(node, outbox.clone());
        let logs = self.logs.clone();
        let (result, failure) = mpsc::channel(1);
        // It ends with the stream it reads: the server drops that when the connection is gone.
        drop(tokio::spawn(async move {
            let ended = session.run(request.into_inner()).await;
            logs.disconnected(node, &outbox);
            if let Err(status) = ended {
                tracing::debug!(%node, %status, "session ended");
                let _agent_gone = result.send(Err(status)).await;
            }
        }));
        let messages = ReceiverStream::new(outgoing).map(Ok);
        let messages = futures_util::stream::select(messages, ReceiverStream::new(failure));
        Ok(Response::new(Box::pin(messages)))
    }

    async fn relay(&self, request: Request<pb::RelayRequest>) -> Result<Response<pb::RelayResponse>, Status> {
        identity::require_manager(&request)?;
        if !self.proposer.status().is_leader() {
            return Err(Status::failed_precondition("this manager is not the leader"));
        }
        for node in request.into_inner().live.iter().filter_map(|node| node.parse().ok()) {
            self.heard.send(node).map_err(|_| Status::unavailable("this manager is stopping"))?;
        }
        Ok(Response::new(pb::RelayResponse {}))
    }

    async fn logs(&self, request: Request<pb::LogQuery>) -> Result<Response<Self::LogsStream>, Status> {
        identity::require_manager(&request)?;
        let query = request.into_inner();
        let mut reading = self.logs.read(&query, &tasks_by_node(&self.proposer, &query));
        let (lines, receiver) = mpsc::channel(LINES_WAITING);
        // It ends with its reader: every send into a dropped receiver fails.
        drop(tokio::spawn(async move {
            for node in reading.nodes.clone() {
                let named = pb::LogRecord { node_id: node.to_string(), ..Default::default() };
                if lines.send(Ok(named)).await.is_err() {
                    return;
                }
            }
            loop {
                tokio::select! {
                    record = reading.records.recv() => {
                        let Some(record) = record else { return };
                        if lines.send(Ok(record)).await.is_err() {
                            return;
                        }
                    }
                    () = lines.closed() => return,
                }
            }
        }));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn publish_logs(
        &self,
        request: Request<Streaming<pb::LogRecord>>,
    ) -> Result<Response<pb::LogsPublished>, Status> {
        let peer = identity::require_node(&request)?;
        let node: NodeId =
            peer.node_id.parse().map_err(|_| Status::internal("the certificate names no node id"))?;
        let mut records = request.into_inner();
        let Some(opening) = records.message().await? else { return Ok(Response::new(pb::LogsPublished {})) };
        let Some(reader) = self.logs.deliver(&opening.query_id, node) else {
            return Err(Status::not_found("nobody reads these logs"));
        };
        loop {
            let record = tokio::select! {
                record = records.message() => record?,
                // A log in which nothing happens must not be kept open for nobody.
                () = reader.closed() => None,
            };
            let Some(mut record) = record else { break };
            record.node_id = node.to_string();
            if reader.send(record).await.is_err() {
                break;
            }
        }
        Ok(Response::new(pb::LogsPublished {}))
    }

    async fn carry_volume(
        &self,
        request: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::CarryVolumeStream>, Status> {
        identity::require_manager(&request)?;
        let mut asking = request.into_inner();
        let query = volumes::opening(&mut asking).await?;
        let node: NodeId =
            query.node_id.parse().map_err(|_| Status::invalid_argument("the query names no node"))?;
        let agent = self.logs.outbox_of(node);
        let agent = agent.ok_or_else(|| Status::not_found("the node is not connected to this manager"))?;
        let Carriage { coming, going } = self.volumes.ask(node, &agent, query).await?;
        // It ends with either side.
        drop(tokio::spawn(volumes::pass_on(asking, going)));
        Ok(Response::new(Box::pin(coming)))
    }

    async fn deliver_volume(
        &self,
        request: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::DeliverVolumeStream>, Status> {
        let peer = identity::require_node(&request)?;
        let node: NodeId =
            peer.node_id.parse().map_err(|_| Status::internal("the certificate names no node id"))?;
        let going = self.volumes.begin(node, request.into_inner()).await?;
        Ok(Response::new(Box::pin(going.map(Ok))))
    }
}
