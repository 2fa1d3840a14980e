//! What must be on disk, and when.

pub(crate) mod folder;
pub(crate) mod seal;
mod segment;
mod snapshot_file;
mod spare;
pub(crate) mod store;
pub(crate) mod wal;

use raft::eraftpb::{Entry, HardState};

use crate::snapshot::Meta;

pub use error::Error;

mod error;

/// Makes things durable for a [`Replica`](crate::replica::Replica); each call returns when they are.
pub(crate) trait Disk {
    /// Adds entries and the hard state in one step: after a crash either all or none is there.
    fn append(&mut self, hard: &HardState, entries: &[Entry]) -> Result<(), Error>;

    /// Keeps a snapshot that came from the leader and starts the log again behind it.
    fn install(&mut self, hard: &HardState, meta: &Meta, envelope: &[u8]) -> Result<(), Error>;

    /// May forget entries up to `index` and snapshots older than the one at `snapshot`.
    fn compact(&mut self, index: u64, snapshot: u64);
}
