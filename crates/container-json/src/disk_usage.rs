//! What takes room on the disk.

use engine_json::{ImageSummary, Time};
use serde::{Deserialize, Serialize};

use crate::{Summary, Volume};

/// What takes room on the disk; a kind that was not asked for is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiskUsage {
    /// Bytes of all layers, each counted once.
    pub layers_size: i64,
    /// Images, with the bytes they share and how many containers use them.
    pub images: Option<Vec<ImageSummary>>,
    /// Containers, with the bytes they wrote.
    pub containers: Option<Vec<Summary>>,
    /// Volumes, with their usage.
    pub volumes: Option<Vec<Volume>>,
    /// Remains of builds.
    pub build_cache: Option<Vec<BuildCache>>,
}

/// A remain of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BuildCache {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What it is.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The step it comes from.
    pub description: String,
    /// Whether it is being used.
    pub in_use: bool,
    /// Whether others use it.
    pub shared: bool,
    /// Its bytes.
    pub size: i64,
    /// When it was made.
    pub created_at: Time,
    /// How often it was used.
    pub usage_count: i64,
}
