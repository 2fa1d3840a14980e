//! What callers of a running manager's consensus may be told.

use crate::member::Member;

/// Docker's words, which its users search for.
const NO_LEADER: &str = "The swarm does not have a leader. It's possible that too few managers are online. \
                         Make sure more than half of the managers are online.";

/// Why a proposal has no outcome.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProposeError {
    /// No manager leads, and none did for a while.
    #[error("{NO_LEADER}")]
    NoLeader,
    /// This manager does not lead; only `propose_local` says so.
    #[error("this manager does not lead the cluster")]
    NotLeader {
        /// Who does, if known.
        leader: Option<Member>,
    },
    /// The entry is larger than the log takes.
    #[error("a change of {size} bytes is larger than the {limit} bytes the cluster's log takes: split it")]
    TooLarge {
        /// The entry's size.
        size: usize,
        /// The largest size taken.
        limit: usize,
    },
    /// The entry has no content.
    #[error("an empty change cannot be proposed")]
    Empty,
    /// The leader was lost, or the time was up, while the entry was in flight.
    #[error(
        "the leader was lost while the change was in flight; it may or may not have been applied: look, then try again"
    )]
    Unknown,
    /// More is in flight than can be taken.
    #[error("too many changes are in flight: try again in a moment")]
    Busy,
    /// The leader's disk is full; the entry was not taken.
    #[error(
        "no space left on the disk of the manager that leads: free some, nothing that was acknowledged is lost"
    )]
    DiskFull,
    /// This manager's consensus has ended.
    #[error("this manager stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Why a read is not known to be current.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// No leader could be confirmed in time.
    #[error("{NO_LEADER}")]
    NoLeader,
    /// This manager's consensus has ended.
    #[error("this manager stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Why the group of managers did not change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MemberError {
    /// No manager leads, and none did for a while.
    #[error("{NO_LEADER}")]
    NoLeader,
    /// The leader refuses, with its reason.
    #[error("{0}")]
    Refused(String),
    /// The leader was lost, or the time was up, while the change was in flight.
    #[error(
        "the leader was lost while the group of managers was changing: look at the list of nodes, then try again"
    )]
    Unknown,
    /// This manager's consensus has ended.
    #[error("this manager stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Why a manager's consensus could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What its folder holds does not allow it.
    #[error(transparent)]
    Disk(#[from] crate::disk::Error),
    /// Raft or the state machine refused what its folder holds.
    #[error(transparent)]
    Replica(#[from] crate::replica::Failure),
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// No manager at the given addresses let it join.
    #[error("join the managers at {}: {reason}", via.join(", "))]
    Join {
        /// The addresses tried.
        via: Vec<String>,
        /// What the last of them said.
        reason: String,
    },
    /// The operating system gave no thread.
    #[error("start the consensus thread")]
    Thread(#[source] std::io::Error),
}
