//! How a change rolls out over a service's tasks, and where it stands.

use std::time::Duration;

use crate::{Invalid, Timestamp};

/// How an update or a rollback replaces tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateConfig {
    /// How many slots at a time; 0 means all at once.
    pub parallelism: u64,
    /// The pause between two slots of one worker.
    pub delay: Duration,
    /// What happens when too many fail.
    pub failure_action: FailureAction,
    /// How long a task must stay up after its start; absent means 5 s.
    pub monitor: Option<Duration>,
    /// The share of failed tasks that is still accepted, 0 to 1.
    pub max_failure_ratio: f32,
    /// Whether the old task stops first or the new one starts first.
    pub order: UpdateOrder,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            parallelism: 1,
            delay: Duration::ZERO,
            failure_action: FailureAction::Pause,
            monitor: None,
            max_failure_ratio: 0.0,
            order: UpdateOrder::StopFirst,
        }
    }
}

impl UpdateConfig {
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        if !(0.0..=1.0).contains(&self.max_failure_ratio) {
            return Err(Invalid::because("update-maxfailureratio cannot be less than 0 or bigger than 1"));
        }
        Ok(())
    }
}

/// What happens when too many tasks of an update fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureAction {
    /// Stop there and wait for the user.
    Pause,
    /// Go on regardless.
    Continue,
    /// Go back to the spec before.
    Rollback,
}

/// Which goes first, the old task or the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateOrder {
    /// The old task stops before the new one starts.
    StopFirst,
    /// The new task runs before the old one stops.
    StartFirst,
}

/// Where an update stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateStatus {
    /// The stage.
    pub state: UpdateState,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What happened, in Swarm's words.
    pub message: String,
}

/// The stages of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateState {
    /// Replacing tasks.
    Updating,
    /// Stopped after failures.
    Paused,
    /// Done.
    Completed,
    /// Going back.
    RollbackStarted,
    /// Going back stopped after failures.
    RollbackPaused,
    /// Went back.
    RollbackCompleted,
}
