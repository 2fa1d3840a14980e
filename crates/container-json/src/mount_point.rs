//! What is mounted in a container.

use serde::{Deserialize, Serialize};

use crate::omit::empty;

/// Something mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs` or `image`.
    #[serde(rename = "Type", skip_serializing_if = "empty")]
    pub kind: String,
    /// The volume's name.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path inside.
    pub destination: String,
    /// The volume's driver.
    #[serde(skip_serializing_if = "empty")]
    pub driver: String,
    /// The options as they were written.
    pub mode: String,
    /// Whether the container can write to it.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// How mounts travel between the container and the host.
    pub propagation: String,
}
