//! Which images there are and what they are called: one file, replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use registry::{Digest, Reference};
use serde::{Deserialize, Serialize};

use crate::disk;

/// Tells why the list of images could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The file holds something else.
    #[error("the list of images {} is damaged ({reason}); restore it from a backup, or move it away to start without images", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is known of an image beside its configuration document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Lowest first, as in the configuration document.
    pub(crate) layers: Vec<Digest>,
    /// The manifest it was pulled by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifest: Option<Digest>,
    /// Milliseconds since 1970 at which it last got a name; 0 where that is not known, as in old lists.
    #[serde(default)]
    pub(crate) tagged_ms: u64,
    /// Milliseconds since 1970 at which a container last was made of it, or it came.
    #[serde(default)]
    pub(crate) used_ms: u64,
}

/// The file an embedded image was made from, to tell cheaply whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Embedded {
    pub(crate) id: Digest,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size_bytes: u64,
    pub(crate) modified_ns: i128,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tables {
    pub(crate) images: BTreeMap<Digest, Record>,
    /// Complete references, tags and digests alike.
    pub(crate) references: BTreeMap<String, Digest>,
    #[serde(default)]
    pub(crate) embedded: BTreeMap<String, Embedded>,
}

/// The tables, and the file that always says the same.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    tables: Tables,
}

impl Index {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let tables = match disk::read_if_present(path)? {
            None => Tables::default(),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Damaged { path: path.to_owned(), reason: error.to_string() })?,
        };
        Ok(Self { path: path.to_owned(), tables })
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Changes the tables; if the file cannot be written, nothing changes.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut Tables) -> T) -> Result<T, disk::Error> {
        let mut tables = self.tables.clone();
        let answer = change(&mut tables);
        let bytes = serde_json::to_vec_pretty(&tables).expect("tables of texts and numbers are always JSON");
        disk::write_whole(&self.path, &bytes)?;
        self.tables = tables;
        Ok(answer)
    }
}

impl Tables {
    pub(crate) fn references_of(&self, id: Digest) -> Vec<Reference> {
        let named = self.references.iter().filter(|(_, target)| **target == id);
        named.filter_map(|(name, _)| name.parse().ok()).collect()
    }

    pub(crate) fn layers_in_use(&self) -> BTreeSet<Digest> {
        self.images.values().flat_map(|record| record.layers.iter().copied()).collect()
    }
}
