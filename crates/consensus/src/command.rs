//! What the rest of a manager asks of its consensus thread.

use raft::eraftpb::Message;
use tokio::sync::oneshot;

use crate::error::{MemberError, ProposeError};
use crate::member::Peer;
use crate::replica::{Applied, Refusal};
use crate::snapshot::Meta;

/// One request to the thread; queues of these are bounded and a full queue refuses.
pub(crate) enum Command {
    Step(Message),
    Propose { entry: Vec<u8>, reply: Reply<ProposeError> },
    Read { reply: oneshot::Sender<()> },
    Add { raft_id: u64, peer: Peer, reply: Reply<ChangeRefused> },
    Remove { raft_id: u64, reply: Reply<ChangeRefused> },
    Transfer { to: Option<u64>, reply: oneshot::Sender<Result<(), Refusal>> },
    Unreachable(u64),
    RemovedByPeers,
    SnapshotSent { raft_id: u64, is_delivered: bool },
    SnapshotKept(Meta),
    SnapshotFailed,
    Stop,
}

pub(crate) type Reply<E> = oneshot::Sender<Result<Applied, E>>;

/// Why a change of the group did not happen here.
#[derive(Debug)]
pub(crate) enum ChangeRefused {
    /// It was not taken.
    Refusal(Refusal),
    /// It was taken and lost, or may have been.
    Failed(MemberError),
}
