//! An entry of the log: a batch of changes and the proposer's clock.

use model::Timestamp;
use prost::Message;
use store::Change;

use crate::field::{all, each};
use crate::{Error, pb};

/// A batch of changes that every member applies in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The proposer's clock; every member writes this time.
    pub at: Timestamp,
    /// The changes, which are applied wholly or not at all.
    pub changes: Vec<Change>,
}

/// Returns the bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    pb::LogEntry::from(entry).encode_to_vec()
}

/// Returns the entry that these bytes hold.
pub fn decode(bytes: &[u8]) -> Result<Entry, Error> {
    let entry = pb::LogEntry::decode(bytes).map_err(|source| Error::Garbled { what: "log entry", source })?;
    entry.try_into()
}

impl From<&Entry> for pb::LogEntry {
    fn from(entry: &Entry) -> Self {
        let Entry { at, changes } = entry;
        Self { at: at.0, changes: all(changes) }
    }
}

impl TryFrom<pb::LogEntry> for Entry {
    type Error = Error;

    fn try_from(entry: pb::LogEntry) -> Result<Self, Error> {
        let pb::LogEntry { at, changes } = entry;
        Ok(Self { at: Timestamp(at), changes: each(changes, "changes")? })
    }
}
