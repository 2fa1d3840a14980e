//! What a stage hands back.

use model::Timestamp;

use crate::Change;

/// What a stage wants done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The changes, at most one per object.
    pub changes: Vec<Change>,
    /// When the stage wants to look again even if nothing changes.
    pub look_again_at: Option<Timestamp>,
    /// What people may want to read in the log.
    pub notes: Vec<String>,
}

impl Plan {
    /// Claims that there is nothing to do and nothing to wait for.
    pub fn is_empty(&self) -> bool {
        let Self { changes, look_again_at, notes } = self;
        changes.is_empty() && look_again_at.is_none() && notes.is_empty()
    }
}
