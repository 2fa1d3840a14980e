//! How a change rolls out, and where it stands.

use model::{FailureAction, Invalid, UpdateOrder, UpdateState};
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::omit::{duration, empty, nanoseconds, ratio};

/// How an update or a rollback replaces tasks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateConfig {
    /// How many slots at a time; 0 means all at once.
    pub parallelism: u64,
    /// The pause between two slots, in nanoseconds.
    #[serde(skip_serializing_if = "empty")]
    pub delay: i64,
    /// `pause`, `continue` or `rollback`; empty means `pause`.
    #[serde(skip_serializing_if = "empty")]
    pub failure_action: String,
    /// How long a task must stay up, in nanoseconds; 0 means 5 s.
    #[serde(skip_serializing_if = "empty")]
    pub monitor: i64,
    /// The share of failed tasks that is accepted.
    #[serde(serialize_with = "ratio")]
    pub max_failure_ratio: f32,
    /// `stop-first` or `start-first`; empty means `stop-first`.
    pub order: String,
}

impl TryFrom<UpdateConfig> for model::UpdateConfig {
    type Error = Invalid;

    fn try_from(config: UpdateConfig) -> Result<Self, Invalid> {
        let UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order } = config;
        let failure_action = match failure_action.as_str() {
            "" | "pause" => FailureAction::Pause,
            "continue" => FailureAction::Continue,
            "rollback" => FailureAction::Rollback,
            other => return Err(Invalid::because(format!("unrecognized update failure action {other}"))),
        };
        let order = match order.as_str() {
            "" | "stop-first" => UpdateOrder::StopFirst,
            "start-first" => UpdateOrder::StartFirst,
            other => return Err(Invalid::because(format!("unrecognized update order {other}"))),
        };
        let monitor = duration(monitor, "TaskSpec: update-monitor")?;
        Ok(Self {
            parallelism,
            delay: duration(delay, "TaskSpec: update-delay")?,
            failure_action,
            monitor: (!monitor.is_zero()).then_some(monitor),
            max_failure_ratio,
            order,
        })
    }
}

impl From<&model::UpdateConfig> for UpdateConfig {
    fn from(config: &model::UpdateConfig) -> Self {
        let model::UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order } =
            config;
        let failure_action = match failure_action {
            FailureAction::Pause => "pause",
            FailureAction::Continue => "continue",
            FailureAction::Rollback => "rollback",
        };
        let order = match order {
            UpdateOrder::StopFirst => "stop-first",
            UpdateOrder::StartFirst => "start-first",
        };
        Self {
            parallelism: *parallelism,
            delay: nanoseconds(*delay),
            failure_action: failure_action.into(),
            monitor: monitor.map(nanoseconds).unwrap_or_default(),
            max_failure_ratio: *max_failure_ratio,
            order: order.into(),
        }
    }
}

impl UpdateConfig {
    /// How long a task must stay up when nothing is said, in nanoseconds.
    pub const MONITOR_DEFAULT: i64 = 5_000_000_000;

    /// Returns what applies when a service says nothing.
    pub fn defaults() -> Self {
        let mut config = Self::from(&model::UpdateConfig::default());
        config.monitor = Self::MONITOR_DEFAULT;
        config
    }
}

/// Where an update stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateStatus {
    /// The stage, such as `updating`.
    #[serde(skip_serializing_if = "empty")]
    pub state: String,
    /// When it began.
    #[serde(skip_serializing_if = "empty")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "empty")]
    pub completed_at: Option<Time>,
    /// What happened.
    #[serde(skip_serializing_if = "empty")]
    pub message: String,
}

impl From<&model::UpdateStatus> for UpdateStatus {
    fn from(status: &model::UpdateStatus) -> Self {
        let model::UpdateStatus { state, started_at, completed_at, message } = status;
        let state = match state {
            UpdateState::Updating => "updating",
            UpdateState::Paused => "paused",
            UpdateState::Completed => "completed",
            UpdateState::RollbackStarted => "rollback_started",
            UpdateState::RollbackPaused => "rollback_paused",
            UpdateState::RollbackCompleted => "rollback_completed",
        };
        Self {
            state: state.into(),
            started_at: started_at.map(Time::from),
            completed_at: completed_at.map(Time::from),
            message: message.clone(),
        }
    }
}
