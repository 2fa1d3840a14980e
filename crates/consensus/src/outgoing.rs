//! Messages and snapshots on their way to other managers.
//!
//! Each member has a queue and a task that feeds one long stream. A message that does not fit, or
//! finds no connection, is dropped: raft sends what matters again.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use protobuf::Message as _;
use raft::eraftpb::{Message, MessageType};
use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use wire::pb;
use wire::pb::raft_client::RaftClient;

use crate::command::Command;
use crate::disk::store::Folder;
use crate::member::Peer;
use crate::replica::Capture;
use crate::snapshot::Meta;

/// Messages that may wait for one member; raft itself limits appends in flight below that.
const QUEUE_MAX: usize = 1024;
/// Snapshot bytes per gRPC message, far below the 4 MiB that a receiver takes.
const CHUNK_BYTES: usize = 1 << 20;
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(1000);
/// A transfer that takes longer is given up; raft then starts another.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);
/// Marks the answer to a member that was removed.
pub(crate) const REMOVED: &[u8] = b"removed";

pub(crate) struct Outgoing {
    runtime: Handle,
    tls: identity::Tls,
    commands: SyncSender<Command>,
    folder: Folder,
    raft_id: u64,
    peers: BTreeMap<u64, Peer>,
    links: BTreeMap<u64, Link>,
}

struct Link {
    address: String,
    queue: mpsc::Sender<Message>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Outgoing {
    /// `peers` are those a joining manager was told of; from its first snapshot on the log says.
    pub fn new(
        runtime: Handle,
        tls: identity::Tls,
        commands: SyncSender<Command>,
        folder: Folder,
        raft_id: u64,
        peers: BTreeMap<u64, Peer>,
    ) -> Self {
        Self { runtime, tls, commands, folder, raft_id, peers, links: BTreeMap::new() }
    }

    /// Takes over who is where.
    pub fn set_peers(&mut self, peers: &BTreeMap<u64, Peer>) {
        if peers.is_empty() || *peers == self.peers {
            return;
        }
        self.peers = peers.clone();
        self.links
            .retain(|raft_id, link| peers.get(raft_id).is_some_and(|peer| peer.address == link.address));
    }

    /// Sends a message, or drops it.
    pub fn send(&mut self, message: Message) {
        let to = message.to;
        let Some(peer) = self.peers.get(&to) else {
            return tracing::debug!(to, "no address is known for a member");
        };
        // A channel spawns its connection's task.
        let _runtime = self.runtime.enter();
        if message.msg_type == MessageType::MsgSnapshot {
            let client = client(&peer.address, &self.tls);
            self.runtime.spawn(transfer(client, message, self.folder.clone(), self.commands.clone()));
            return;
        }
        let link = self.links.entry(to).or_insert_with(|| {
            let (queue, messages) = mpsc::channel(QUEUE_MAX);
            let feed = Feed {
                client: client(&peer.address, &self.tls),
                to,
                commands: self.commands.clone(),
                messages,
            };
            let task = self.runtime.spawn(feed.run()).abort_handle();
            Link { address: peer.address.clone(), queue, task }
        });
        if link.queue.try_send(message).is_err() {
            // A full command queue only delays raft's notice; the next refused message repeats it.
            let _ = self.commands.try_send(Command::Unreachable(to));
        }
    }

    /// Encodes and writes a snapshot on another thread.
    pub fn keep_snapshot(&self, capture: Capture, commands: SyncSender<Command>) {
        let folder = self.folder.clone();
        let raft_id = self.raft_id;
        self.runtime.spawn_blocking(move || {
            let Capture { meta, encode } = capture;
            let state = encode();
            let done = match folder.write_snapshot(&meta, &state) {
                Ok(()) => Command::SnapshotKept(meta),
                Err(error) => {
                    tracing::warn!(%error, raft_id, "a snapshot could not be kept; the log grows until one can");
                    Command::SnapshotFailed
                }
            };
            // An error means that the consensus thread is gone, and with it the need to know.
            let _ = commands.send(done);
        });
    }
}

/// Returns a client for the manager at an address; it connects on its first call.
pub(crate) fn client(address: &str, tls: &identity::Tls) -> RaftClient<Channel> {
    RaftClient::new(identity::channel(address, tls)).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// One append carries up to an entry's limit of bytes beyond its first entry; the rest is headers.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Feeds one member's stream for as long as it is a member.
struct Feed {
    client: RaftClient<Channel>,
    to: u64,
    commands: SyncSender<Command>,
    messages: mpsc::Receiver<Message>,
}

impl Feed {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        while let Some(first) = self.messages.recv().await {
            let (stream, outlet) = mpsc::channel(64);
            let mut client = self.client.clone();
            let call = client.step(ReceiverStream::new(outlet));
            tokio::pin!(call);
            let mut next = Some(first);
            let mut sent = 0_u64;
            let status = loop {
                let message = match next.take() {
                    Some(message) => message,
                    None => tokio::select! {
                        message = self.messages.recv() => match message {
                            Some(message) => message,
                            None => return,
                        },
                        ended = &mut call => break ended.err(),
                    },
                };
                let Some(data) = encode(&message) else { continue };
                tokio::select! {
                    pushed = stream.send(pb::RaftMessage { data }) => match pushed {
                        Ok(()) => sent += 1,
                        Err(_) => break (&mut call).await.err(),
                    },
                    ended = &mut call => break ended.err(),
                }
            };
            // A stream that carried something was a healthy connection until just now.
            backoff = if sent > 64 { BACKOFF_MIN } else { (backoff * 2).min(BACKOFF_MAX) };
            self.report(status);
            let jitter = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(backoff.mul_f64(jitter)).await;
            while self.messages.try_recv().is_ok() {}
        }
    }

    fn report(&self, status: Option<tonic::Status>) {
        let _ = self.commands.try_send(Command::Unreachable(self.to));
        let Some(status) = status else { return };
        if status.details() == REMOVED {
            let _ = self.commands.try_send(Command::RemovedByPeers);
        }
        tracing::debug!(to = %format_args!("{:x}", self.to), %status, "the stream to a manager broke");
    }
}

fn encode(message: &Message) -> Option<bytes::Bytes> {
    match message.write_to_bytes() {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            tracing::error!(%error, "a message could not be encoded");
            None
        }
    }
}

/// Sends the newest snapshot, which is at least as new as the one raft asked for.
async fn transfer(
    mut client: RaftClient<Channel>,
    message: Message,
    folder: Folder,
    commands: SyncSender<Command>,
) {
    let raft_id = message.to;
    let read = tokio::task::spawn_blocking(move || folder.newest_snapshot()).await;
    let sent = match read {
        Ok(Ok(Some((meta, state)))) => {
            let call = client.install(tokio_stream::iter(chunks(message, meta, state.into())));
            match tokio::time::timeout(TRANSFER_TIMEOUT, call).await {
                Ok(done) => done.map(drop).map_err(|status| status.to_string()),
                Err(_) => Err("it took too long".to_owned()),
            }
        }
        Ok(Ok(None)) => Err("there is none".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = &sent {
        tracing::warn!(to = %format_args!("{raft_id:x}"), %error, "a snapshot could not be sent");
    }
    deliver(&commands, Command::SnapshotSent { raft_id, is_delivered: sent.is_ok() }).await;
}

fn chunks(mut message: Message, meta: Meta, state: bytes::Bytes) -> impl Iterator<Item = pb::SnapshotChunk> {
    use pb::snapshot_chunk::Part;
    let mut snapshot = meta.to_raft();
    snapshot.data = meta.envelope(&[]).into();
    message.set_snapshot(snapshot);
    let count = state.len().div_ceil(CHUNK_BYTES);
    let data = (0..count).map(move |chunk| {
        let start = chunk * CHUNK_BYTES;
        Part::Data(state.slice(start..state.len().min(start + CHUNK_BYTES)))
    });
    let head = encode(&message).map(Part::Message);
    head.into_iter().chain(data).map(|part| pb::SnapshotChunk { part: Some(part) })
}

/// Hands a command over that must not be lost, waiting while the queue is full.
pub(crate) async fn deliver(commands: &SyncSender<Command>, mut command: Command) {
    loop {
        match commands.try_send(command) {
            Err(TrySendError::Full(back)) => {
                command = back;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(()) | Err(TrySendError::Disconnected(_)) => return,
        }
    }
}
