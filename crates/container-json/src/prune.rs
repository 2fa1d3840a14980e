//! What the removal of unused things did.

use serde::{Deserialize, Serialize};

use crate::omit::null_if_empty;

/// What the removal of ended containers did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainersPruned {
    /// Their ids.
    #[serde(serialize_with = "null_if_empty")]
    pub containers_deleted: Vec<String>,
    /// Bytes that are free again.
    pub space_reclaimed: u64,
}

/// What the removal of unused volumes did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumesPruned {
    /// Their names.
    pub volumes_deleted: Vec<String>,
    /// Bytes that are free again.
    pub space_reclaimed: u64,
}

/// What the removal of unused networks did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworksPruned {
    /// Their names.
    #[serde(serialize_with = "null_if_empty")]
    pub networks_deleted: Vec<String>,
}
