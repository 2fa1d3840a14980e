//! The part of the log that raft reads: all of it in memory, bounded by compaction.

use std::cell::Cell;
use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Storage, StorageError};

use crate::snapshot::Meta;

/// A place in the log: index and the term of the entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub index: u64,
    pub term: u64,
}

/// The entries behind `base`, and the newest snapshot's description.
#[derive(Default)]
pub(crate) struct Log {
    base: Position,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// What raft starts from.
    pub hard: HardState,
    /// What raft starts from.
    pub conf: ConfState,
    /// The newest snapshot on disk.
    pub snapshot: Option<Meta>,
    /// Set when raft needs a newer snapshot for a follower than there is.
    pub snapshot_wanted: Cell<bool>,
}

impl Log {
    pub fn new(base: Position) -> Self {
        Self { base, ..Self::default() }
    }

    pub fn base(&self) -> Position {
        self.base
    }

    /// Returns the size of the entries held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn last(&self) -> Position {
        self.entries.back().map_or(self.base, |entry| Position { index: entry.index, term: entry.term })
    }

    /// Returns the entries with an index above `index`.
    pub fn after(&self, index: u64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(index.saturating_sub(self.base.index) as usize)
    }

    /// Appends entries, replacing those from the first one's index on; `false` if they do not connect.
    pub fn append(&mut self, entries: &[Entry]) -> bool {
        let Some(first) = entries.first() else { return true };
        if first.index <= self.base.index || first.index > self.last().index + 1 {
            return false;
        }
        let keep = (first.index - self.base.index - 1) as usize;
        for dropped in self.entries.drain(keep..) {
            self.bytes -= size(&dropped);
        }
        self.bytes += entries.iter().map(size).sum::<usize>();
        self.entries.extend(entries.iter().cloned());
        true
    }

    /// Forgets every entry and starts again behind `base`.
    pub fn reset(&mut self, base: Position) {
        self.base = base;
        self.entries.clear();
        self.bytes = 0;
    }

    /// Forgets entries up to and including `index`.
    pub fn compact(&mut self, index: u64) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.index <= index) {
            self.bytes -= size(&entry);
            self.base = Position { index: entry.index, term: entry.term };
        }
    }

    /// Returns the term at `index`, if it is known.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        let offset = index.checked_sub(self.base.index + 1)?;
        self.entries.get(offset as usize).map(|entry| entry.term)
    }
}

fn size(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + size_of::<Entry>()
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard.clone(), self.conf.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.base.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        let limit = max_size.into().unwrap_or(u64::MAX);
        let mut taken = Vec::new();
        let mut bytes = 0;
        for entry in self.after(low - 1).take((high - low) as usize) {
            bytes += size(entry) as u64;
            if bytes > limit && !taken.is_empty() {
                break;
            }
            taken.push(entry.clone());
        }
        Ok(taken)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        self.term_at(index).ok_or(Error::Store(if index < self.base.index {
            StorageError::Compacted
        } else {
            StorageError::Unavailable
        }))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().index)
    }

    /// Returns a description without data: the bytes travel apart from raft's messages.
    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let fits = |meta: &&Meta| {
            let conf = &meta.membership.conf;
            meta.position.index >= request_index && (conf.voters.contains(&to) || conf.learners.contains(&to))
        };
        if let Some(meta) = self.snapshot.as_ref().filter(fits) {
            return Ok(meta.to_raft());
        }
        self.snapshot_wanted.set(true);
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
