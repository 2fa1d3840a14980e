//! Taking snapshots, shortening the log behind them, and starting over from a received one.

use raft::eraftpb::Snapshot;

use super::{Capture, Failure, Lost, Outbox, Replica};
use crate::disk::Disk;
use crate::log::Position;
use crate::machine::StateMachine;
use crate::snapshot::Meta;

/// A snapshot that could not be written is tried again after this many ticks.
const RETRY_TICKS: u64 = 50;

impl<S: StateMachine> Replica<S> {
    pub(super) fn capture_if_due(&mut self, out: &mut impl Outbox<S::View>) {
        let log = self.node.store();
        let before = log.snapshot.as_ref().map_or(0, |meta| meta.position.index);
        let is_long = self.applied.index - before >= self.config.snapshot_every
            || log.bytes() >= self.config.snapshot_bytes && self.applied.index > before;
        let is_due = is_long || log.snapshot_wanted.get();
        if !is_due || self.capturing || self.applied.index == 0 || self.ticks < self.captures_from {
            return;
        }
        log.snapshot_wanted.set(false);
        self.capturing = true;
        let meta = Meta { position: self.applied, membership: self.membership.clone() };
        out.capture(Capture { meta, encode: self.machine.snapshot() });
    }

    /// Takes note of a snapshot on disk and forgets the log behind it, but for a rest.
    pub fn snapshot_kept<D: Disk>(&mut self, meta: Meta, disk: &mut D) {
        self.capturing = false;
        let index = meta.position.index;
        let log = self.node.mut_store();
        if log.snapshot.as_ref().is_some_and(|newer| newer.position.index > index) {
            return;
        }
        log.snapshot = Some(meta);
        log.compact(index.saturating_sub(self.config.keep_for_slow_followers));
        if log.bytes() >= self.config.snapshot_bytes {
            log.compact(index);
        }
        let base = log.base().index;
        disk.compact(base, index);
    }

    /// Takes note that a snapshot could not be kept.
    pub fn snapshot_failed(&mut self) {
        self.capturing = false;
        self.captures_from = self.ticks + RETRY_TICKS;
    }

    /// Tells raft how the transfer of a snapshot went.
    pub fn snapshot_sent(&mut self, raft_id: u64, is_delivered: bool) {
        let status = if is_delivered { raft::SnapshotStatus::Finish } else { raft::SnapshotStatus::Failure };
        self.node.report_snapshot(raft_id, status);
    }

    /// Replaces everything by what the leader sent.
    pub(super) fn install<D: Disk>(
        &mut self,
        snapshot: &Snapshot,
        disk: &mut D,
        out: &mut impl Outbox<S::View>,
    ) -> Result<(), Failure> {
        let metadata = snapshot.get_metadata();
        let refused = |reason: String| Failure::Restore { index: metadata.index, reason };
        let (meta, state) =
            Meta::open(&snapshot.data).ok_or_else(|| refused("its envelope is malformed".into()))?;
        if meta.position != (Position { index: metadata.index, term: metadata.term }) {
            return Err(refused("its envelope is that of another snapshot".into()));
        }
        self.machine.restore(state).map_err(refused)?;
        self.hard.commit = self.hard.commit.max(metadata.index);
        disk.install(&self.hard, &meta, state)?;
        self.kept = self.hard.clone();
        self.applied = meta.position;
        self.membership = meta.membership.clone();
        let log = self.node.mut_store();
        log.reset(meta.position);
        disk.compact(meta.position.index, meta.position.index);
        log.snapshot = Some(meta);
        let rest = self.waiting.split_off(&(self.applied.index + 1));
        let passed = std::mem::replace(&mut self.waiting, rest);
        self.completed.extend(passed.into_values().map(|waiter| (waiter.token, Err(Lost::Unknown))));
        self.publish(out);
        Ok(())
    }
}
