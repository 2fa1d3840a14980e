//! What the agent was told and what it saw, on disk, so that a restarted agent goes on without a manager.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::{TaskId, TaskStatus};
use wire::assignment::Items;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("read the agent's journal {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Writing failed.
    #[error("write the agent's journal {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a journal holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Memory {
    pub items: Items,
    pub statuses: BTreeMap<TaskId, TaskStatus>,
}

/// The file. It is replaced as a whole and not synced: after a power loss a manager tells all of it again.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Opens the journal and returns what it holds; a damaged one counts as empty, since a manager
    /// tells all of it again.
    pub fn open(dir: &Path) -> Result<(Self, Memory), Error> {
        let path = dir.join("agent.journal");
        let memory = match std::fs::read(&path) {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "the agent's journal is damaged; it counts as empty");
                Memory::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Err(source) => return Err(Error::Read { path, source }),
        };
        Ok((Self { path }, memory))
    }

    /// Replaces what the journal holds.
    pub fn write(&self, memory: &Memory) -> Result<(), Error> {
        let bytes = wire::journal::encode(&memory.items, &memory.statuses);
        let fresh = self.path.with_extension("journal.new");
        std::fs::write(&fresh, bytes)
            .and_then(|()| std::fs::rename(&fresh, &self.path))
            .map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

fn decode(bytes: &[u8]) -> Result<Memory, wire::Error> {
    wire::journal::decode(bytes).map(|(items, statuses)| Memory { items, statuses })
}
