//! Who may join, who becomes a voter, and who may not be removed.

use raft::StateRole;
use raft::eraftpb::{ConfChange, ConfChangeType};

use super::{Replica, Token};
use crate::machine::StateMachine;
use crate::member::{Member, Peer, Standing};

/// A learner this close to the end of the log has caught up.
const CAUGHT_UP_WITHIN: u64 = 64;

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another manager leads, or none does.
    NotLeader,
    /// Too much is in flight, or leadership is being handed over: try again soon.
    Busy,
    /// Another change of the group is under way: try again soon.
    ChangePending,
    /// The leader itself is to go: it hands leadership over first.
    HandOverFirst,
    /// The group forbids it; the text is for people.
    Forbidden(String),
}

/// What became of a change that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is as asked already.
    Nothing,
    /// It is in the log; `complete` follows.
    Proposed,
}

impl<S: StateMachine> Replica<S> {
    /// Adds a learner, or records the changed address of a member.
    pub fn add(&mut self, token: Token, raft_id: u64, peer: Peer) -> Result<Change, Refusal> {
        self.check_can_change()?;
        if raft_id == 0 || peer.address.is_empty() || peer.node_id.is_empty() {
            let what = "a manager that joins must name its raft id, node id and address";
            return Err(Refusal::Forbidden(what.into()));
        }
        if self.membership.removed.contains(&raft_id) {
            let what = format!(
                "manager {} (raft id {raft_id:x}) was removed from the cluster: it must leave and join anew",
                peer.node_id
            );
            return Err(Refusal::Forbidden(what));
        }
        let same_node = self.membership.peers.iter().find(|(_, known)| known.node_id == peer.node_id);
        if let Some((other, _)) = same_node.filter(|(other, _)| **other != raft_id) {
            let what = format!(
                "node {} is a manager already (raft id {other:x}): remove that one before it joins anew",
                peer.node_id
            );
            return Err(Refusal::Forbidden(what));
        }
        if self.membership.peers.get(&raft_id) == Some(&peer) {
            return Ok(Change::Nothing);
        }
        let kind = if self.membership.is_voter(raft_id) {
            ConfChangeType::AddNode
        } else {
            ConfChangeType::AddLearnerNode
        };
        self.propose_change(kind, raft_id, peer.encode())?;
        self.wait_for_last(token);
        Ok(Change::Proposed)
    }

    /// Removes a member unless the rest could not decide anything.
    pub fn remove(&mut self, token: Token, raft_id: u64) -> Result<Change, Refusal> {
        self.check_can_change()?;
        if !self.membership.peers.contains_key(&raft_id) {
            return Ok(Change::Nothing);
        }
        self.check_quorum_without(raft_id)?;
        if raft_id == self.raft_id {
            return Err(Refusal::HandOverFirst);
        }
        self.propose_change(ConfChangeType::RemoveNode, raft_id, Vec::new())?;
        self.wait_for_last(token);
        Ok(Change::Proposed)
    }

    /// Hands leadership to a voter: the given one, or the most advanced.
    pub fn transfer(&mut self, to: Option<u64>) -> Result<(), Refusal> {
        if self.node.raft.state != StateRole::Leader {
            return Err(Refusal::NotLeader);
        }
        let to = to.or_else(|| self.best_successor()).filter(|to| self.membership.is_voter(*to));
        let Some(to) = to else {
            return Err(Refusal::Forbidden("no other reachable manager can lead".into()));
        };
        self.node.transfer_leader(to);
        Ok(())
    }

    fn best_successor(&self) -> Option<u64> {
        let progress = self.node.raft.prs();
        let others = self.membership.conf.voters.iter().copied().filter(|id| *id != self.raft_id);
        others
            .filter(|id| self.is_reachable(*id))
            .max_by_key(|id| progress.get(*id).map(|progress| progress.matched))
    }

    /// Makes learners that caught up voters, one at a time.
    pub(super) fn promote(&mut self) {
        if self.check_can_change().is_err() {
            return;
        }
        let last = self.node.raft.raft_log.last_index();
        let progress = self.node.raft.prs();
        let caught_up = self.membership.conf.learners.iter().copied().find(|id| {
            progress.get(*id).is_some_and(|progress| {
                progress.recent_active && progress.matched > 0 && progress.matched + CAUGHT_UP_WITHIN >= last
            })
        });
        let Some(raft_id) = caught_up else { return };
        let Some(peer) = self.membership.peers.get(&raft_id) else { return };
        // A refusal is not an answer to anyone: the next tick tries again.
        let _ = self.propose_change(ConfChangeType::AddNode, raft_id, peer.encode());
    }

    fn check_can_change(&self) -> Result<(), Refusal> {
        if !self.leads_ready() {
            return Err(Refusal::NotLeader);
        }
        if self.node.raft.has_pending_conf() {
            return Err(Refusal::ChangePending);
        }
        Ok(())
    }

    fn propose_change(
        &mut self,
        kind: ConfChangeType,
        raft_id: u64,
        context: Vec<u8>,
    ) -> Result<(), Refusal> {
        let mut change = ConfChange::default();
        change.set_change_type(kind);
        change.node_id = raft_id;
        change.context = context.into();
        self.node.propose_conf_change(Vec::new(), change).map_err(|_| Refusal::Busy)
    }

    fn check_quorum_without(&self, raft_id: u64) -> Result<(), Refusal> {
        let name = self.membership.peers.get(&raft_id).map_or("", |peer| peer.node_id.as_str());
        let voters = &self.membership.conf.voters;
        if !voters.contains(&raft_id) {
            return Ok(());
        }
        let rest: Vec<u64> = voters.iter().copied().filter(|id| *id != raft_id).collect();
        if rest.is_empty() {
            let what = format!("node {name} is the last manager: the cluster would be lost with it");
            return Err(Refusal::Forbidden(what));
        }
        let needed = rest.len() / 2 + 1;
        let reachable = rest.iter().filter(|id| self.is_reachable(**id)).count();
        if reachable < needed {
            let what = format!(
                "removing manager {name} would lose the quorum: of the {} managers left {needed} must be \
                 reachable, and {reachable} {}",
                rest.len(),
                if reachable == 1 { "is" } else { "are" }
            );
            return Err(Refusal::Forbidden(what));
        }
        Ok(())
    }

    /// Followers do not hear each other, so a fresh leader gives everyone an election timeout.
    pub(super) fn start_listening(&mut self) {
        let now = self.ticks;
        self.heard = self.membership.peers.keys().map(|raft_id| (*raft_id, now)).collect();
    }

    /// Returns whether this replica heard from a member within an election timeout.
    pub fn is_reachable(&self, raft_id: u64) -> bool {
        let since = self.heard.get(&raft_id).map_or(self.ticks, |heard| self.ticks - heard);
        raft_id == self.raft_id
            || (!self.leads() && self.leader() != Some(raft_id))
            || since < self.config.election_ticks as u64
    }

    /// Returns everyone in the group.
    pub fn members(&self) -> Vec<Member> {
        self.membership
            .peers
            .iter()
            .map(|(raft_id, peer)| Member {
                raft_id: *raft_id,
                node_id: peer.node_id.clone(),
                address: peer.address.clone(),
                standing: match self.membership.is_voter(*raft_id) {
                    true => Standing::Voter,
                    false => Standing::Learner,
                },
                reachable: self.is_reachable(*raft_id),
            })
            .collect()
    }
}
