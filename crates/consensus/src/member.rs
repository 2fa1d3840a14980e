//! Who belongs to the group, as the log says.

use std::collections::{BTreeMap, BTreeSet};

use raft::eraftpb::{ConfChange, ConfChangeType, ConfState};

use crate::codec::{Reader, Writer};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Votes and counts for the quorum.
    Voter,
    /// Receives the log; becomes a voter once it has caught up.
    Learner,
}

/// One manager of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number in the group.
    pub raft_id: u64,
    /// The node it runs on.
    pub node_id: String,
    /// Where it is reached, as `host:port`.
    pub address: String,
    /// Whether it votes.
    pub standing: Standing,
    /// Whether this manager heard from it within an election timeout; a follower, which hears from
    /// the leader only, reports the other followers as reachable.
    pub reachable: bool,
}

/// Where a member is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub node_id: String,
    pub address: String,
}

impl Peer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(self.node_id.as_bytes());
        out.bytes(self.address.as_bytes());
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        Some(Self { node_id: from.text()?, address: from.text()? })
    }
}

/// The group after some entry: its configuration, where its members are, who was removed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Membership {
    pub conf: ConfState,
    pub peers: BTreeMap<u64, Peer>,
    /// Numbers that may never come back: their old votes could break an election.
    pub removed: BTreeSet<u64>,
}

impl Membership {
    pub fn alone(raft_id: u64, peer: Peer) -> Self {
        let mut conf = ConfState::default();
        conf.voters.push(raft_id);
        Self { conf, peers: [(raft_id, peer)].into(), removed: BTreeSet::new() }
    }

    pub fn is_voter(&self, raft_id: u64) -> bool {
        self.conf.voters.contains(&raft_id)
    }

    /// Records who a configuration change is about; `conf` itself comes from raft.
    pub fn record(&mut self, change: &ConfChange) {
        match change.change_type {
            ConfChangeType::AddNode | ConfChangeType::AddLearnerNode => {
                if let Some(peer) = Peer::decode(&change.context) {
                    self.peers.insert(change.node_id, peer);
                }
            }
            ConfChangeType::RemoveNode => {
                self.peers.remove(&change.node_id);
                self.removed.insert(change.node_id);
            }
        }
    }

    pub fn encode(&self, out: &mut Writer) {
        out.numbers(self.conf.voters.iter().copied());
        out.numbers(self.conf.learners.iter().copied());
        out.numbers(self.removed.iter().copied());
        out.number(self.peers.len() as u64);
        for (raft_id, peer) in &self.peers {
            out.number(*raft_id);
            out.bytes(&peer.encode());
        }
    }

    pub fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let (voters, learners) = (from.numbers()?, from.numbers()?);
        let conf = ConfState { voters, learners, ..ConfState::default() };
        let removed = from.numbers()?.into_iter().collect();
        let peers = (0..from.count()?)
            .map(|_| Some((from.number()?, Peer::decode(from.bytes()?)?)))
            .collect::<Option<_>>()?;
        Some(Self { conf, peers, removed })
    }
}
