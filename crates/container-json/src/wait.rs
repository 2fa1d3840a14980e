//! How a container ended.

use serde::{Deserialize, Serialize};

use crate::omit::empty;

/// The answer to waiting for a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitAnswer {
    /// Why there is no exit code.
    #[serde(skip_serializing_if = "empty")]
    pub error: Option<WaitError>,
    /// The exit code.
    pub status_code: i64,
}

/// Why there is no exit code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// For the user.
    #[serde(skip_serializing_if = "empty")]
    pub message: String,
}
