//! When a task that ended is replaced.

use model::RestartPolicy;

use crate::field::{choice, maybe, nested, optional};
use crate::{Error, pb};

impl From<&RestartPolicy> for pb::RestartPolicy {
    fn from(policy: &RestartPolicy) -> Self {
        let RestartPolicy { condition, delay, max_attempts, window } = policy;
        Self {
            condition: pb::RestartCondition::from(*condition).into(),
            delay: maybe(delay),
            max_attempts: *max_attempts,
            window: Some(window.into()),
        }
    }
}

impl TryFrom<pb::RestartPolicy> for RestartPolicy {
    type Error = Error;

    fn try_from(policy: pb::RestartPolicy) -> Result<Self, Error> {
        let pb::RestartPolicy { condition, delay, max_attempts, window } = policy;
        Ok(Self {
            condition: choice(condition, "condition")?,
            delay: optional(delay, "delay")?,
            max_attempts,
            window: nested(window, "window")?,
        })
    }
}
