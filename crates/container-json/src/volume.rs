//! Volumes.

use engine_json::{Labels, Time};
use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Volume {
    /// When it was made.
    #[serde(skip_serializing_if = "empty")]
    pub created_at: Time,
    /// Its driver.
    pub driver: String,
    /// Labels.
    #[serde(serialize_with = "null_if_empty")]
    pub labels: Labels,
    /// Where it lies on the host.
    pub mountpoint: String,
    /// Its name.
    pub name: String,
    /// Options of its driver.
    #[serde(serialize_with = "null_if_empty")]
    pub options: Labels,
    /// Always `local`.
    pub scope: String,
    /// What its driver says of it.
    #[serde(skip_serializing_if = "empty")]
    pub status: Labels,
    /// How much it is used; told if asked for.
    #[serde(skip_serializing_if = "empty")]
    pub usage_data: Option<VolumeUsage>,
}

/// How much a volume is used; -1 means that nobody counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeUsage {
    /// How many containers have it.
    pub ref_count: i64,
    /// Its bytes.
    pub size: i64,
}

/// The volumes of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeList {
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}

/// What a client asks for when it makes a volume.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeBody {
    /// Its driver; empty means `local`.
    #[serde(skip_serializing_if = "empty")]
    pub driver: String,
    /// Options of the driver.
    #[serde(skip_serializing_if = "empty")]
    pub driver_opts: Labels,
    /// Labels.
    #[serde(skip_serializing_if = "empty")]
    pub labels: Labels,
    /// Its name; empty means any.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
}
