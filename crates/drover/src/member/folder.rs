//! What a node keeps on disk of its place in a cluster.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::addresses::Addresses;

/// What a node must know to come back after a restart, beside its identity and its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its addresses.
    pub addresses: Addresses,
    /// Managers it was told of when it joined, `host:port`.
    pub managers: Vec<String>,
}

/// The folder of a node's place in a cluster.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Names the folder below the data root.
    pub fn below(data_root: &Path) -> Self {
        Self(data_root.join("swarm"))
    }

    /// Returns its path, which also holds the identity and the agent's journal.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns where the log is kept.
    pub fn log(&self) -> PathBuf {
        self.0.join("raft")
    }

    fn file(&self) -> PathBuf {
        self.0.join("place.json")
    }

    /// Makes the folder, readable by root only.
    pub fn make(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Reads the place; none if this host is not part of a cluster.
    pub fn read(&self) -> io::Result<Option<Place>> {
        match std::fs::read(self.file()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the place. It is written last: with it, the node is part of the cluster.
    pub fn write(&self, place: &Place) -> io::Result<()> {
        let fresh = self.0.join("place.json.new");
        let file = std::fs::File::create(&fresh)?;
        serde_json::to_writer_pretty(&file, place)?;
        file.sync_all()?;
        std::fs::rename(&fresh, self.file())?;
        std::fs::File::open(&self.0)?.sync_all()
    }

    /// Forgets everything.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
