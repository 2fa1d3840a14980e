//! What every object of the API carries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Labels, ordered by key.
pub type Labels = BTreeMap<String, String>;

/// The version of an object, which an update must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ObjectVersion {
    /// Where in the log it was last written.
    pub index: u64,
}

impl From<model::Version> for ObjectVersion {
    fn from(version: model::Version) -> Self {
        Self { index: version.0 }
    }
}
