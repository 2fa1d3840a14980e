//! One manager's consensus without time, threads or network: everything goes in by a call and
//! comes out through an [`Outbox`], so that the running manager and the simulator drive the same
//! code.

mod membership;
mod reads;
mod snapshots;

use std::collections::BTreeMap;

use protobuf::Message as _;
use raft::eraftpb::{ConfChange, Entry, EntryType, HardState, Message, MessageType};
use raft::{RawNode, StateRole};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) use membership::{Change, Refusal};
use reads::Reads;

use crate::config::Config;
use crate::disk::{Disk, Error};
use crate::log::{Log, Position};
use crate::machine::StateMachine;
use crate::member::Membership;
use crate::snapshot::Meta;

/// Names a proposal, read or change until it is completed.
pub(crate) type Token = u64;

/// Where a replica's effects go, in the order in which they must happen.
pub(crate) trait Outbox<V> {
    /// Sends a message; it may be lost.
    fn send(&mut self, message: Message);
    /// Shows what was applied.
    fn publish(&mut self, view: V);
    /// Answers a proposal or a change.
    fn complete(&mut self, token: Token, result: Result<Applied, Lost>);
    /// Answers reads: the published view is current for them.
    fn readable(&mut self, tokens: Vec<Token>);
    /// Encodes and keeps a snapshot, then calls `snapshot_kept` or `snapshot_failed`.
    fn capture(&mut self, capture: Capture);
}

/// Where a proposal ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The index at which it was applied.
    pub index: u64,
    /// What the state machine answered.
    pub outcome: Vec<u8>,
}

/// Why a proposal that was accepted is not known to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Another leader's entry took its place: it is not applied and never will be.
    Replaced,
    /// It may or may not be part of the snapshot that was received.
    Unknown,
}

/// A state to be encoded and kept.
pub(crate) struct Capture {
    pub meta: Meta,
    pub encode: Box<dyn FnOnce() -> Vec<u8> + Send>,
}

/// Why a replica cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] Error),
    /// Raft refused what was on disk.
    #[error("start raft: {0}")]
    Raft(String),
    /// The state machine refused a snapshot.
    #[error("restore the snapshot that ends at entry {index}: {reason}")]
    Restore {
        /// The last entry in the snapshot.
        index: u64,
        /// What the state machine said.
        reason: String,
    },
}

struct Waiter {
    term: u64,
    token: Token,
}

pub(crate) struct Replica<S: StateMachine> {
    raft_id: u64,
    node: RawNode<Log>,
    machine: S,
    membership: Membership,
    /// What raft wants on disk; `kept` is what is there.
    hard: HardState,
    kept: HardState,
    applied: Position,
    /// The entry a fresh leader must have applied before it counts as one.
    ready_at: Option<u64>,
    waiting: BTreeMap<u64, Waiter>,
    completed: Vec<(Token, Result<Applied, Lost>)>,
    reads: Reads,
    capturing: bool,
    captures_from: u64,
    ticks: u64,
    /// When each member was last heard, in ticks.
    heard: BTreeMap<u64, u64>,
    random: StdRng,
    timeout: usize,
    timeout_for: (u64, StateRole),
    config: Config,
}

impl<S: StateMachine> Replica<S> {
    /// Starts from what a folder holds; `machine` is in the state of the log's newest snapshot.
    /// The seed must be another one at each start: it also tells this start's reads from the last's.
    pub fn new(config: Config, machine: S, log: Log, seed: u64) -> Result<Self, Failure> {
        let position = log.snapshot.as_ref().map(|meta| meta.position).unwrap_or_default();
        let membership = log.snapshot.as_ref().map(|meta| meta.membership.clone()).unwrap_or_default();
        let hard = log.hard.clone();
        let raft_config = raft_config(&config, position.index);
        let node = RawNode::new(&raft_config, log, &crate::bridge::logger())
            .map_err(|error| Failure::Raft(error.to_string()))?;
        let mut random = StdRng::seed_from_u64(seed ^ config.raft_id);
        let reads = Reads::new(config.raft_id, random.random());
        let mut replica = Self {
            raft_id: config.raft_id,
            node,
            machine,
            membership,
            kept: hard.clone(),
            hard,
            applied: position,
            ready_at: None,
            waiting: BTreeMap::new(),
            completed: Vec::new(),
            reads,
            capturing: false,
            captures_from: 0,
            ticks: 0,
            heard: BTreeMap::new(),
            random,
            timeout: config.election_ticks,
            timeout_for: (0, StateRole::Leader),
            config,
        };
        replica.stand_if_alone();
        Ok(replica)
    }

    /// The only voter needs no one's consent, so it need not wait for an election timeout.
    fn stand_if_alone(&mut self) {
        if self.membership.conf.voters == [self.raft_id]
            && let Err(error) = self.node.campaign()
        {
            tracing::debug!(%error, "the only voter waits for its election timeout");
        }
    }

    /// Lets one tick pass.
    pub fn tick(&mut self) {
        self.ticks += 1;
        self.choose_timeout();
        self.node.tick();
        self.reads.expire(self.ticks);
        self.promote();
    }

    /// Raft draws its timeout from the thread's generator; ours can be repeated.
    fn choose_timeout(&mut self) {
        let now = (self.node.raft.term, self.node.raft.state);
        if now != self.timeout_for {
            self.timeout_for = now;
            let range = self.config.election_ticks..self.config.election_ticks_max;
            self.timeout = self.random.random_range(range);
        }
        self.node.raft.set_randomized_election_timeout(self.timeout);
    }

    /// Takes a message from another member.
    pub fn step(&mut self, message: Message) {
        // Proposals come by a call that answers; one that came as a message would have no waiter.
        if message.msg_type == MessageType::MsgPropose || self.membership.removed.contains(&message.from) {
            return;
        }
        self.heard.insert(message.from, self.ticks);
        if let Err(error) = self.node.step(message) {
            tracing::debug!(%error, "a message was not taken");
        }
    }

    /// Proposes an entry; `complete` is called with the token once its fate is known.
    pub fn propose(&mut self, token: Token, entry: Vec<u8>) -> Result<(), Refusal> {
        if self.node.raft.state != StateRole::Leader {
            return Err(Refusal::NotLeader);
        }
        self.node.propose(Vec::new(), entry).map_err(|_| Refusal::Busy)?;
        self.wait_for_last(token);
        Ok(())
    }

    fn wait_for_last(&mut self, token: Token) {
        let raft = &self.node.raft;
        self.waiting.insert(raft.raft_log.last_index(), Waiter { term: raft.term, token });
    }

    /// Asks for a moment at which the published view is current.
    pub fn read(&mut self, token: Token) {
        self.reads.queue(token);
    }

    /// Tells raft that messages to a member are being lost.
    pub fn report_unreachable(&mut self, raft_id: u64) {
        self.node.report_unreachable(raft_id);
    }

    /// Does everything that is due: makes entries durable, sends, applies, answers.
    pub fn pump<D: Disk>(&mut self, disk: &mut D, out: &mut impl Outbox<S::View>) -> Result<(), Failure> {
        self.issue_reads();
        while self.node.has_ready() {
            self.process_ready(disk, out)?;
        }
        self.capture_if_due(out);
        Ok(())
    }

    fn process_ready<D: Disk>(
        &mut self,
        disk: &mut D,
        out: &mut impl Outbox<S::View>,
    ) -> Result<(), Failure> {
        let mut ready = self.node.ready();
        if let Some(soft) = ready.ss() {
            match soft.raft_state {
                StateRole::Leader if self.ready_at.is_none() => {
                    self.ready_at = Some(self.node.raft.raft_log.last_index());
                    self.start_listening();
                }
                StateRole::Leader => {}
                StateRole::Follower | StateRole::Candidate | StateRole::PreCandidate => self.ready_at = None,
            }
        }
        // A leader's appends go out before its own copy is on disk: it counts itself only after.
        for message in ready.take_messages() {
            out.send(message);
        }
        if let Some(hard) = ready.hs() {
            self.hard = hard.clone();
        }
        if !ready.snapshot().is_empty() {
            self.install(ready.snapshot(), disk, out)?;
        }
        let committed = ready.take_committed_entries();
        if !ready.entries().is_empty() || ready.must_sync() {
            self.keep(ready.entries(), disk)?;
        }
        for message in ready.take_persisted_messages() {
            out.send(message);
        }
        let states = ready.take_read_states();
        self.reads.answered(states);
        self.apply(committed, disk, out)?;
        let mut light = self.node.advance_append(ready);
        if let Some(commit) = light.commit_index() {
            self.hard.commit = commit;
        }
        for message in light.take_messages() {
            out.send(message);
        }
        self.apply(light.take_committed_entries(), disk, out)?;
        self.node.advance_apply_to(self.applied.index);
        Ok(())
    }

    fn keep<D: Disk>(&mut self, entries: &[Entry], disk: &mut D) -> Result<(), Failure> {
        disk.append(&self.hard, entries)?;
        self.node.mut_store().append(entries);
        self.kept = self.hard.clone();
        Ok(())
    }

    fn apply<D: Disk>(
        &mut self,
        entries: Vec<Entry>,
        disk: &mut D,
        out: &mut impl Outbox<S::View>,
    ) -> Result<(), Failure> {
        if let Some(change) = entries.iter().rfind(|entry| entry.entry_type != EntryType::EntryNormal) {
            // A restart must not fall back to a group this manager has left behind, so the commit
            // is on disk before the group changes; other commits can be learnt again.
            if self.kept.commit < change.index {
                self.hard.commit = self.hard.commit.max(change.index);
                self.keep(&[], disk)?;
            }
        }
        let is_empty = entries.is_empty();
        for entry in entries {
            self.apply_one(entry)?;
        }
        if !is_empty {
            self.publish(out);
        }
        let readable = self.reads.take_ready(self.applied.index);
        if !readable.is_empty() {
            out.readable(readable);
        }
        Ok(())
    }

    fn publish(&mut self, out: &mut impl Outbox<S::View>) {
        out.publish(self.machine.view());
        for (token, result) in self.completed.drain(..) {
            out.complete(token, result);
        }
    }

    fn apply_one(&mut self, entry: Entry) -> Result<(), Failure> {
        let outcome = match entry.entry_type {
            EntryType::EntryNormal if entry.data.is_empty() => Vec::new(),
            EntryType::EntryNormal => self.machine.apply(entry.index, &entry.data),
            EntryType::EntryConfChange => {
                self.apply_change(&entry)?;
                Vec::new()
            }
            EntryType::EntryConfChangeV2 => {
                return Err(Failure::Raft(format!(
                    "entry {} is a joint change, which no manager makes",
                    entry.index
                )));
            }
        };
        self.applied = Position { index: entry.index, term: entry.term };
        if let Some(waiter) = self.waiting.remove(&entry.index) {
            let is_ours = waiter.term == entry.term;
            let result = is_ours.then_some(Applied { index: entry.index, outcome }).ok_or(Lost::Replaced);
            self.completed.push((waiter.token, result));
        }
        Ok(())
    }

    fn apply_change(&mut self, entry: &Entry) -> Result<(), Failure> {
        let refused =
            |reason: String| Failure::Raft(format!("apply the change in entry {}: {reason}", entry.index));
        let mut change = ConfChange::default();
        change.merge_from_bytes(&entry.data).map_err(|error| refused(error.to_string()))?;
        self.membership.conf =
            self.node.apply_conf_change(&change).map_err(|error| refused(error.to_string()))?;
        self.membership.record(&change);
        self.heard.insert(change.node_id, self.ticks);
        tracing::info!(
            raft_id = %format_args!("{:x}", change.node_id), kind = ?change.change_type,
            voters = self.membership.conf.voters.len(), "the group of managers changed"
        );
        Ok(())
    }

    pub fn machine(&self) -> &S {
        &self.machine
    }

    pub fn applied(&self) -> u64 {
        self.applied.index
    }

    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Returns whether this replica leads, its own term's first entry applied or not.
    pub fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// Returns whether this replica leads and has applied everything its predecessors acknowledged.
    pub fn leads_ready(&self) -> bool {
        self.leads() && self.ready_at.is_some_and(|index| self.applied.index >= index)
    }

    pub fn state(&self) -> StateRole {
        self.node.raft.state
    }

    /// Returns who leads as far as this replica knows.
    pub fn leader(&self) -> Option<u64> {
        let id = self.node.raft.leader_id;
        (id != raft::INVALID_ID).then_some(id)
    }
}

fn raft_config(config: &Config, applied: u64) -> raft::Config {
    raft::Config {
        id: config.raft_id,
        election_tick: config.election_ticks,
        heartbeat_tick: config.heartbeat_ticks,
        min_election_tick: config.election_ticks,
        max_election_tick: config.election_ticks_max,
        applied,
        check_quorum: true,
        pre_vote: true,
        max_size_per_msg: config.entry_bytes_max as u64,
        max_inflight_msgs: 128,
        // Beyond this, followers are not keeping up and more in flight would only cost memory.
        max_uncommitted_size: 64 << 20,
        // Bounds how long one round of applying keeps the loop from its ticks.
        max_committed_size_per_ready: 8 << 20,
        ..raft::Config::default()
    }
}
