//! What a manager shows of itself.

use std::sync::Arc;

use crate::member::Member;

/// The part a manager plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Leads, and has applied an entry of its own term: everything acknowledged before is in its view.
    Leader,
    /// Follows a leader, or waits for one.
    Follower,
    /// Stands for election, or was elected and is still applying.
    Candidate,
    /// Receives the log without a vote until it has caught up.
    Learner,
    /// Was removed from the group; it must join anew.
    Removed,
}

/// A manager's place in its group at some moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its number in the group.
    pub raft_id: u64,
    /// The part it plays.
    pub role: Role,
    /// The election it is in.
    pub term: u64,
    /// Who leads, if anyone does; itself only once it is ready to.
    pub leader: Option<Member>,
    /// The last entry it has applied.
    pub applied: u64,
    /// Everyone in the group.
    pub members: Arc<[Member]>,
    /// Numbers of managers that were removed; they never come back.
    pub removed: Arc<[u64]>,
    /// Why its consensus ended, once it has.
    pub stopped: Option<String>,
}

impl Status {
    /// Returns whether this manager leads.
    pub fn is_leader(&self) -> bool {
        self.role == Role::Leader
    }
}
