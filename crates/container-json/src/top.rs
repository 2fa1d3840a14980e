//! The processes of a container.

use serde::{Deserialize, Serialize};

/// The processes of a container, as `ps` on its host shows them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Top {
    /// One line each.
    pub processes: Vec<Vec<String>>,
    /// The heads of the columns.
    pub titles: Vec<String>,
}
