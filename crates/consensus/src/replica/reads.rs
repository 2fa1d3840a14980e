//! Reads that must be current: a quorum confirms the leader, then the leader's commit is applied.

use std::collections::BTreeMap;

use raft::ReadState;

use super::{Replica, Token};
use crate::machine::StateMachine;

/// A round without an answer in this many ticks is lost, or the leader was not ready for it.
const RETRY_TICKS: u64 = 3;

pub(super) struct Reads {
    raft_id: u64,
    /// Tells this start's rounds from those of the one before a crash.
    start: u64,
    rounds: u64,
    queued: Vec<Token>,
    asked: BTreeMap<u64, Round>,
    /// Answered rounds whose index is still to be applied.
    answered: Vec<(u64, Vec<Token>)>,
    ticks: u64,
}

struct Round {
    since: u64,
    tokens: Vec<Token>,
}

impl Reads {
    pub fn new(raft_id: u64, start: u64) -> Self {
        Self {
            raft_id,
            start,
            rounds: 0,
            queued: Vec::new(),
            asked: BTreeMap::new(),
            answered: Vec::new(),
            ticks: 0,
        }
    }

    pub fn queue(&mut self, token: Token) {
        self.queued.push(token);
    }

    /// Puts the reads of lost rounds back into the queue.
    pub fn expire(&mut self, ticks: u64) {
        self.ticks = ticks;
        let lost = self.asked.extract_if(.., |_, round| round.since + RETRY_TICKS <= ticks);
        self.queued.extend(lost.flat_map(|(_, round)| round.tokens));
    }

    /// Returns the context of a round for everything queued, if there is anything.
    fn start_round(&mut self) -> Option<Vec<u8>> {
        if self.queued.is_empty() {
            return None;
        }
        self.rounds += 1;
        let round = Round { since: self.ticks, tokens: std::mem::take(&mut self.queued) };
        self.asked.insert(self.rounds, round);
        Some([self.raft_id, self.start, self.rounds].iter().flat_map(|part| part.to_le_bytes()).collect())
    }

    pub fn answered(&mut self, states: Vec<ReadState>) {
        for state in states {
            let Some(round) = self.round_of(&state.request_ctx) else { continue };
            if let Some(round) = self.asked.remove(&round) {
                self.answered.push((state.index, round.tokens));
            }
        }
    }

    fn round_of(&self, context: &[u8]) -> Option<u64> {
        let (raft_id, rest) = context.split_first_chunk::<8>()?;
        let (start, rest) = rest.split_first_chunk::<8>()?;
        let round = rest.first_chunk::<8>()?;
        let is_ours =
            u64::from_le_bytes(*raft_id) == self.raft_id && u64::from_le_bytes(*start) == self.start;
        is_ours.then_some(u64::from_le_bytes(*round))
    }

    /// Takes the reads whose index is applied.
    pub fn take_ready(&mut self, applied: u64) -> Vec<Token> {
        self.answered.extract_if(.., |(index, _)| *index <= applied).flat_map(|(_, tokens)| tokens).collect()
    }
}

impl<S: StateMachine> Replica<S> {
    pub(super) fn issue_reads(&mut self) {
        if let Some(context) = self.reads.start_round() {
            self.node.read_index(context);
        }
    }
}
