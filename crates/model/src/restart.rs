//! When a task that ended is replaced.

use std::time::Duration;

/// When and how often a task that ended is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends.
    pub condition: RestartCondition,
    /// The pause before the replacement starts; absent means 5 s.
    pub delay: Option<Duration>,
    /// How often within the window; 0 means without limit.
    pub max_attempts: u64,
    /// Over which time attempts count; zero means all.
    pub window: Duration,
}

impl RestartPolicy {
    /// The pause when none is given, as in Swarm.
    pub const DELAY_DEFAULT: Duration = Duration::from_secs(5);
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { condition: RestartCondition::Any, delay: None, max_attempts: 0, window: Duration::ZERO }
    }
}

/// After which ends a task is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartCondition {
    /// Never.
    None,
    /// When it did not exit with 0.
    OnFailure,
    /// Always.
    Any,
}
