//! The body of every error.

use serde::{Deserialize, Serialize};

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// What went wrong, for the user.
    pub message: String,
}

impl ErrorBody {
    /// Makes the body.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
