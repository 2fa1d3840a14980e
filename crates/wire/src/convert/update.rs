//! How a change rolls out, and where it stands.

use model::{Timestamp, UpdateConfig, UpdateStatus};

use crate::field::{choice, maybe, nested, optional};
use crate::{Error, pb};

impl From<&UpdateConfig> for pb::UpdateConfig {
    fn from(config: &UpdateConfig) -> Self {
        let UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order } = config;
        Self {
            parallelism: *parallelism,
            delay: Some(delay.into()),
            failure_action: pb::FailureAction::from(*failure_action).into(),
            monitor: maybe(monitor),
            max_failure_ratio: *max_failure_ratio,
            order: pb::UpdateOrder::from(*order).into(),
        }
    }
}

impl TryFrom<pb::UpdateConfig> for UpdateConfig {
    type Error = Error;

    fn try_from(config: pb::UpdateConfig) -> Result<Self, Error> {
        let pb::UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order } =
            config;
        Ok(Self {
            parallelism,
            delay: nested(delay, "delay")?,
            failure_action: choice(failure_action, "failure_action")?,
            monitor: optional(monitor, "monitor")?,
            max_failure_ratio,
            order: choice(order, "order")?,
        })
    }
}

impl From<&UpdateStatus> for pb::UpdateStatus {
    fn from(status: &UpdateStatus) -> Self {
        let UpdateStatus { state, started_at, completed_at, message } = status;
        Self {
            state: pb::UpdateState::from(*state).into(),
            started_at: started_at.map(|time| time.0),
            completed_at: completed_at.map(|time| time.0),
            message: message.clone(),
        }
    }
}

impl TryFrom<pb::UpdateStatus> for UpdateStatus {
    type Error = Error;

    fn try_from(status: pb::UpdateStatus) -> Result<Self, Error> {
        let pb::UpdateStatus { state, started_at, completed_at, message } = status;
        Ok(Self {
            state: choice(state, "state")?,
            started_at: started_at.map(Timestamp),
            completed_at: completed_at.map(Timestamp),
            message,
        })
    }
}
