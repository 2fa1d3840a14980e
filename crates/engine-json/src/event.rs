//! What happened, as the event stream tells it.

use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::omit::empty;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// The old name of the action, for containers and images.
    #[serde(skip_serializing_if = "empty")]
    pub status: String,
    /// The old place of the id, for containers and images.
    #[serde(skip_serializing_if = "empty")]
    pub id: String,
    /// The image, for containers.
    #[serde(skip_serializing_if = "empty")]
    pub from: String,
    /// What it is about, such as `service`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What happened, such as `create`.
    #[serde(rename = "Action")]
    pub action: String,
    /// To which object.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `swarm` or `local`.
    #[serde(skip_serializing_if = "empty")]
    pub scope: String,
    /// When, in seconds.
    #[serde(skip_serializing_if = "empty")]
    pub time: i64,
    /// When, in nanoseconds.
    #[serde(rename = "timeNano", skip_serializing_if = "empty")]
    pub time_nano: i64,
}

/// The object something happened to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Actor {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What is told beside it, such as its name.
    pub attributes: Labels,
}
