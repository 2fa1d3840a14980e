//! Images as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{Healthcheck, Labels, Time};

/// An image in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// How many containers use it; -1 if nobody counted.
    pub containers: i64,
    /// When it was built, in seconds.
    pub created: i64,
    /// Its id, a digest.
    pub id: String,
    /// Labels of its configuration.
    pub labels: Option<Labels>,
    /// Always empty.
    pub parent_id: String,
    /// Names with digests.
    pub repo_digests: Vec<String>,
    /// Names with tags.
    pub repo_tags: Vec<String>,
    /// How many bytes it shares with others; -1 if nobody counted.
    pub shared_size: i64,
    /// Bytes on disk.
    pub size: i64,
}

/// An image in full.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageInspect {
    /// Its id, a digest.
    pub id: String,
    /// Names with tags.
    pub repo_tags: Vec<String>,
    /// Names with digests.
    pub repo_digests: Vec<String>,
    /// Always empty.
    pub parent: String,
    /// What was said when it was built.
    pub comment: String,
    /// When it was built, as its configuration says.
    #[serde(skip_serializing_if = "empty")]
    pub created: String,
    /// Always empty.
    pub docker_version: String,
    /// Who built it.
    pub author: String,
    /// What a container of it runs.
    pub config: Option<ImageConfig>,
    /// The processor.
    pub architecture: String,
    /// The processor's variant.
    #[serde(skip_serializing_if = "empty")]
    pub variant: String,
    /// The operating system.
    pub os: String,
    /// Bytes on disk.
    pub size: i64,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    /// What this daemon knows of it.
    pub metadata: BTreeMap<String, String>,
}

/// What a container of an image runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// The user.
    #[serde(skip_serializing_if = "empty")]
    pub user: String,
    /// Ports it listens on.
    #[serde(skip_serializing_if = "empty")]
    pub exposed_ports: BTreeMap<String, crate::Nothing>,
    /// `KEY=value` pairs.
    pub env: Vec<String>,
    /// The entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// The command.
    pub cmd: Option<Vec<String>>,
    /// Its health check.
    #[serde(skip_serializing_if = "empty")]
    pub healthcheck: Option<Healthcheck>,
    /// Paths meant for volumes.
    #[serde(skip_serializing_if = "empty")]
    pub volumes: BTreeMap<String, crate::Nothing>,
    /// The working directory.
    pub working_dir: String,
    /// Labels.
    pub labels: Option<Labels>,
    /// The signal that asks it to stop.
    #[serde(skip_serializing_if = "empty")]
    pub stop_signal: String,
    /// The shell of its build.
    #[serde(skip_serializing_if = "empty")]
    pub shell: Vec<String>,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Digests of the layers' contents, lowest first.
    #[serde(skip_serializing_if = "empty")]
    pub layers: Vec<String>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), layers: Vec::new() }
    }
}

/// What an image's removal did; one field is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeletedImage {
    /// A name that was taken away.
    #[serde(skip_serializing_if = "empty")]
    pub untagged: String,
    /// An image or layer that was removed.
    #[serde(skip_serializing_if = "empty")]
    pub deleted: String,
}

/// What the removal of unused images did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImagesPruned {
    /// What was removed.
    pub images_deleted: Vec<DeletedImage>,
    /// Bytes that are free again.
    pub space_reclaimed: u64,
}

/// A step of an image's build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageHistory {
    /// What was said.
    pub comment: String,
    /// When, in seconds.
    pub created: i64,
    /// What ran.
    pub created_by: String,
    /// The image, or `<missing>`.
    pub id: String,
    /// Bytes it added.
    pub size: i64,
    /// Names of the image.
    pub tags: Option<Vec<String>>,
}

/// What a registry knows of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Distribution {
    /// What its name points to.
    pub descriptor: Descriptor,
    /// Platforms it exists for.
    pub platforms: Vec<OciPlatform>,
}

/// A thing in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub size: i64,
}

/// A platform as in OCI: `linux`, `amd64`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OciPlatform {
    /// The processor.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// The processor's variant.
    #[serde(skip_serializing_if = "empty")]
    pub variant: String,
}

impl ImageSummary {
    /// Returns when it was built.
    pub fn created_at(&self) -> Time {
        model::Timestamp(self.created.saturating_mul(1_000_000_000)).into()
    }
}
