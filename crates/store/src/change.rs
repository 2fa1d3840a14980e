//! What can be done to the state, and why it is refused.

use model::Version;

use crate::{Key, Object};

/// A write of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Writes the object. Its `meta.version` is the version it was based on; 0 means that it must not exist yet.
    Put(Object),
    /// Removes the object, which must still be at this version.
    Delete(Key, Version),
}

impl Change {
    /// Returns what names the changed object.
    pub fn key(&self) -> Key {
        match self {
            Self::Put(object) => object.key(),
            Self::Delete(key, _) => *key,
        }
    }

    /// Returns the version that the change was based on.
    pub fn based_on(&self) -> Version {
        match self {
            Self::Put(object) => object.meta().version,
            Self::Delete(_, version) => *version,
        }
    }
}

/// Why a batch of changes is refused. The words are Swarm's; clients match on them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The object was written since it was read.
    #[error("update out of sequence")]
    Stale {
        /// The object.
        key: Key,
        /// What the change was based on.
        based_on: Version,
        /// What is there.
        current: Option<Version>,
    },
    /// Another object has the name.
    #[error("name conflicts with an existing object: {kind} {name} already exists")]
    NameTaken {
        /// What has the name.
        kind: &'static str,
        /// The name.
        name: String,
        /// Who has it.
        holder: Key,
    },
    /// It was to be made and is already there.
    #[error("{0} already exists")]
    AlreadyExists(Key),
    /// It was to be changed or removed and is not there.
    #[error("{0} does not exist")]
    Missing(Key),
}
