//! How the rest of a manager changes the cluster's state and looks at it.

use model::Timestamp;
use store::{Change, Conflict, View};
use tokio::sync::watch;

use crate::error::{ProposeError, ReadError};
use crate::handle::Raft;
use crate::status::Status;

/// How often a change is decided anew when others wrote the same objects meanwhile. Each round
/// means that somebody else got ahead, so that a cluster in which this runs out is still moving.
const ROUNDS_MAX: usize = 16;
/// What an entry may take beside its changes.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// Why a change did not happen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// The state did not allow it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The log did not take it.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// No current state could be had to decide on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What the log answered cannot be read.
    #[error("the outcome of a change cannot be read: {0}")]
    Outcome(String),
}

/// Proposes changes and hands out views. On a follower, changes go through the leader.
#[derive(Clone)]
pub struct Proposer {
    raft: Raft<View>,
    clock: fn() -> Timestamp,
    entry_bytes_max: usize,
}

impl Proposer {
    /// Makes a proposer over this manager's consensus.
    pub fn new(raft: Raft<View>, clock: fn() -> Timestamp, entry_bytes_max: usize) -> Self {
        Self { raft, clock, entry_bytes_max }
    }

    /// Applies the changes all together, and returns the log index at which they are in this manager's view.
    pub async fn propose(&self, changes: Vec<Change>) -> Result<u64, UpdateError> {
        let entry = wire::entry::encode(&wire::entry::Entry { at: (self.clock)(), changes });
        let applied = self.raft.propose(entry).await?;
        let outcome = wire::outcome::decode(&applied.outcome)
            .map_err(|error| UpdateError::Outcome(error.to_string()))?;
        Ok(outcome?)
    }

    /// Applies the changes in as many entries as they need, in order. Every prefix must be a valid state.
    pub async fn propose_in_parts(&self, changes: Vec<Change>) -> Result<u64, UpdateError> {
        let mut index = 0;
        let mut part = Vec::new();
        let mut size = ENTRY_OVERHEAD_BYTES;
        for change in changes {
            let more = wire::entry::size_of(&change);
            if size + more > self.entry_bytes_max && !part.is_empty() {
                index = self.propose(std::mem::take(&mut part)).await?;
                size = ENTRY_OVERHEAD_BYTES;
            }
            size += more;
            part.push(change);
        }
        if part.is_empty() { Ok(index) } else { self.propose(part).await }
    }

    /// Decides on a current view and applies the outcome; decides again if others were faster.
    /// No changes mean that nothing needs to be done.
    pub async fn update<E>(&self, mut decide: impl FnMut(&View) -> Result<Vec<Change>, E>) -> Result<View, E>
    where
        E: From<UpdateError>,
    {
        let mut round = 0;
        loop {
            let view = self.current().await.map_err(|error| E::from(error.into()))?;
            let changes = decide(&view)?;
            if changes.is_empty() {
                return Ok(view);
            }
            match self.propose(changes).await {
                Ok(_) => return Ok(self.view()),
                Err(UpdateError::Conflict(Conflict::Stale { .. })) if round < ROUNDS_MAX => round += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns this manager's view as it is; on a follower it may be a moment old.
    pub fn view(&self) -> View {
        self.raft.views().borrow().clone()
    }

    /// Returns a view that holds everything acknowledged anywhere before the call.
    pub async fn current(&self) -> Result<View, ReadError> {
        self.raft.read_index().await
    }

    /// Returns the views as they come.
    pub fn views(&self) -> watch::Receiver<View> {
        self.raft.views()
    }

    /// Returns this manager's place in the group.
    pub fn status(&self) -> Status {
        self.raft.status().borrow().clone()
    }

    /// Returns this manager's place in the group as it changes.
    pub fn statuses(&self) -> watch::Receiver<Status> {
        self.raft.status()
    }

    /// Returns the consensus below.
    pub fn raft(&self) -> &Raft<View> {
        &self.raft
    }
}
