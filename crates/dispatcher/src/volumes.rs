//! Carries volumes between whoever asks on some manager and the node that has them.
//!
//! The manager that is asked calls the one that the node's agent has its session with. That one asks the agent through
//! the session, the agent calls back over a connection of its own, and from then on the two calls are one. Archives are
//! passed on piece by piece; whoever packs waits for whoever unpacks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use identity::Tls;
use model::NodeId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;
use wire::pb::volume_piece::Kind;

/// How many pieces wait on a manager.
const PIECES_WAITING: usize = 8;
/// How long an agent may take to begin; it has nothing to do but to connect.
const BEGIN_DEADLINE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// Largest piece of an archive: far below what a message may have.
const PIECE_BYTES_MAX: usize = 256 << 10;

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
pub struct VolumeError {
    /// How it is to be taken.
    pub kind: VolumeErrorKind,
    /// What is wrong.
    pub message: String,
}

/// How it is to be taken that a volume is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeErrorKind {
    /// There is no such volume.
    NotFound,
    /// What the volume holds forbids it.
    Conflict,
    /// The request or the archive is wrong in itself.
    Invalid,
    /// The node cannot be reached for the time being.
    Unavailable,
    /// Something failed that should not.
    Failed,
}

/// Both ends of a carried volume, as one side has them.
#[derive(Debug)]
pub(crate) struct Carriage {
    pub coming: Streaming<pb::VolumePiece>,
    pub going: mpsc::Sender<pb::VolumePiece>,
}

/// The agents that are to begin.
#[derive(Clone, Default)]
pub(crate) struct VolumeBroker {
    waiting: Arc<Mutex<BTreeMap<String, Waiting>>>,
}

struct Waiting {
    node: NodeId,
    begun: oneshot::Sender<Carriage>,
}

/// Takes a query off the list when it is dropped, however the waiting ends.
struct Asked<'a> {
    broker: &'a VolumeBroker,
    id: &'a str,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.broker.lock().remove(self.id);
    }
}

impl VolumeBroker {
    /// Asks an agent through its session, and waits until it begins.
    pub async fn ask(
        &self,
        node: NodeId,
        agent: &mpsc::Sender<pb::ManagerMessage>,
        query: pb::VolumeQuery,
    ) -> Result<Carriage, Status> {
        let id = query.id.clone();
        let (begun, beginning) = oneshot::channel();
        self.lock().insert(id.clone(), Waiting { node, begun });
        let _asked = Asked { broker: self, id: &id };
        let message = pb::ManagerMessage { kind: Some(pb::manager_message::Kind::Volume(query)) };
        agent.try_send(message).map_err(|_| Status::unavailable("its session takes no messages"))?;
        match tokio::time::timeout(BEGIN_DEADLINE, beginning).await {
            Ok(Ok(carriage)) => Ok(carriage),
            Ok(Err(_)) | Err(_) => Err(Status::unavailable(format!(
                "its agent did not begin within {} s",
                BEGIN_DEADLINE.as_secs()
            ))),
        }
    }

    /// Takes an agent's call; returns what is to be sent to it.
    pub async fn begin(
        &self,
        node: NodeId,
        mut coming: Streaming<pb::VolumePiece>,
    ) -> Result<ReceiverStream<pb::VolumePiece>, Status> {
        let query = opening(&mut coming).await?;
        let waiting = {
            let mut waiting = self.lock();
            // What was asked of another node is none of this one's business.
            match waiting.get(&query.id) {
                Some(asked) if asked.node == node => waiting.remove(&query.id),
                Some(_) | None => None,
            }
        };
        let nobody = || Status::not_found("nobody asks for this volume");
        let (going, outgoing) = mpsc::channel(PIECES_WAITING);
        let begun = waiting.ok_or_else(nobody)?.begun;
        begun.send(Carriage { coming, going }).map_err(|_| nobody())?;
        Ok(ReceiverStream::new(outgoing))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}

/// Reads the first piece of a call.
pub(crate) async fn opening(coming: &mut Streaming<pb::VolumePiece>) -> Result<pb::VolumeQuery, Status> {
    match coming.message().await? {
        Some(pb::VolumePiece { kind: Some(Kind::Query(query)) }) => Ok(query),
        Some(_) | None => Err(Status::invalid_argument("the call does not begin with a query")),
    }
}

/// Passes on what one side says. When it breaks off, so does this, and the other side sees that the end is missing.
pub(crate) async fn pass_on(mut coming: Streaming<pb::VolumePiece>, going: mpsc::Sender<pb::VolumePiece>) {
    loop {
        let piece = tokio::select! {
            piece = coming.message() => piece,
            () = going.closed() => return,
        };
        let Ok(Some(piece)) = piece else { return };
        if going.send(piece).await.is_err() {
            return;
        }
    }
}

/// Opens a way to a node's volume, through whichever manager the node is connected to.
pub(crate) async fn open(
    managers: Vec<String>,
    tls: &Tls,
    query: pb::VolumeQuery,
) -> Result<Carriage, VolumeError> {
    let mut opening = JoinSet::new();
    for address in managers {
        opening.spawn(open_at(address, tls.clone(), query.clone()));
    }
    let mut failure = None;
    while let Some(opened) = opening.join_next().await {
        match opened {
            Ok(Ok(carriage)) => return Ok(carriage),
            // Most managers do not have the node: what others say is of more use.
            Ok(Err(status)) if status.code() == tonic::Code::NotFound => {}
            Ok(Err(status)) => failure = Some(status.message().to_owned()),
            Err(error) => failure = Some(error.to_string()),
        }
    }
    let message = failure.unwrap_or_else(|| "the node is not connected to any manager".to_owned());
    Err(VolumeError { kind: VolumeErrorKind::Unavailable, message })
}

async fn open_at(address: String, tls: Tls, query: pb::VolumeQuery) -> Result<Carriage, Status> {
    let client = DispatcherClient::new(identity::channel(&address, &tls));
    let deadline = BEGIN_DEADLINE + Duration::from_secs(5);
    match tokio::time::timeout(deadline, call(client, query)).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded(format!("manager {address} did not answer"))),
    }
}

async fn call(mut client: DispatcherClient<Channel>, query: pb::VolumeQuery) -> Result<Carriage, Status> {
    let (going, outgoing) = mpsc::channel(PIECES_WAITING);
    let sent = going.try_send(piece(Kind::Query(query)));
    debug_assert!(sent.is_ok(), "a fresh channel takes its first piece");
    let coming = client.carry_volume(ReceiverStream::new(outgoing)).await?.into_inner();
    Ok(Carriage { coming, going })
}

/// Returns the archive that a node sends. A refusal before its first piece is an error at once; without an end, the
/// archive ends with an error.
pub(crate) async fn archive_of(
    mut carriage: Carriage,
) -> Result<impl Stream<Item = Result<Bytes, VolumeError>> + Send + 'static, VolumeError> {
    let first = next(&mut carriage.coming).await?;
    let rest = futures_util::stream::unfold(Some(carriage), |carriage| async move {
        let mut carriage = carriage?;
        match next(&mut carriage.coming).await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(carriage))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    let has_more = first.is_some();
    let rest = rest.take(if has_more { usize::MAX } else { 0 });
    Ok(futures_util::stream::iter(first.map(Ok)).chain(rest))
}

/// Sends an archive to a node and waits until it is unpacked.
pub(crate) async fn send(
    carriage: Carriage,
    archive: impl Stream<Item = std::io::Result<Bytes>> + Send,
) -> Result<(), VolumeError> {
    let Carriage { mut coming, going } = carriage;
    let sending = send_all(archive, going);
    let done = async {
        while next(&mut coming).await?.is_some() {}
        Ok(())
    };
    tokio::pin!(sending, done);
    // The node may refuse, or fail, before it has seen everything.
    tokio::select! {
        biased;
        done = &mut done => done,
        sent = &mut sending => match sent {
            Ok(_still_open) => done.await,
            Err(error) => Err(error),
        },
    }
}

/// Returns the way once everything is sent: it stays open until the answer is there.
async fn send_all(
    archive: impl Stream<Item = std::io::Result<Bytes>> + Send,
    going: mpsc::Sender<pb::VolumePiece>,
) -> Result<mpsc::Sender<pb::VolumePiece>, VolumeError> {
    tokio::pin!(archive);
    while let Some(bytes) = archive.next().await {
        let broken = |error: std::io::Error| VolumeError {
            kind: VolumeErrorKind::Invalid,
            message: format!("the archive breaks off: {error}"),
        };
        let mut bytes = bytes.map_err(broken)?;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
            // Why the node listens no more, it says itself.
            let _node_gone = going.send(piece(Kind::Archive(part))).await;
        }
    }
    let _node_gone = going.send(piece(Kind::End(pb::VolumeEnd {}))).await;
    Ok(going)
}

/// Returns the next piece that a node sends; none at the end.
async fn next(coming: &mut Streaming<pb::VolumePiece>) -> Result<Option<Bytes>, VolumeError> {
    let broken = |cause: &str| VolumeError {
        kind: VolumeErrorKind::Failed,
        message: format!("the connection to the node breaks off{cause}"),
    };
    loop {
        let piece = coming.message().await.map_err(|status| broken(&format!(": {}", status.message())))?;
        match piece.ok_or_else(|| broken(""))?.kind {
            Some(Kind::Archive(bytes)) => return Ok(Some(bytes)),
            Some(Kind::End(_)) => return Ok(None),
            Some(Kind::Refusal(refusal)) => return Err(refusal_of(refusal)),
            Some(Kind::Query(_)) | None => {}
        }
    }
}

fn refusal_of(refusal: pb::VolumeRefusal) -> VolumeError {
    let kind = match refusal.kind() {
        pb::VolumeRefusalKind::NotFound => VolumeErrorKind::NotFound,
        pb::VolumeRefusalKind::Conflict => VolumeErrorKind::Conflict,
        pb::VolumeRefusalKind::Invalid => VolumeErrorKind::Invalid,
        pb::VolumeRefusalKind::Unspecified => VolumeErrorKind::Failed,
    };
    VolumeError { kind, message: refusal.message }
}

fn piece(kind: Kind) -> pb::VolumePiece {
    pb::VolumePiece { kind: Some(kind) }
}

#[cfg(test)]
mod tests;
