//! Flags of restarts, updates and rollbacks.

use clap::Args;
use engine_json::{RestartPolicy, ServiceSpec, UpdateConfig};
use format::duration;

/// The pause before a replacement starts when only other restart flags are given, in nanoseconds.
const RESTART_DELAY: i64 = 5_000_000_000;

/// Flags of restarts, updates and rollbacks.
#[derive(Debug, Args)]
pub struct Rollout {
    /// After which ends a task is replaced
    #[arg(long, value_parser = ["none", "on-failure", "any"])]
    restart_condition: Option<String>,
    /// The pause before the replacement starts [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    restart_delay: Option<i64>,
    /// How often a task is replaced within the window
    #[arg(long, value_name = "COUNT")]
    restart_max_attempts: Option<u64>,
    /// Over which time attempts count
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    restart_window: Option<i64>,

    /// The pause between two updated tasks
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    update_delay: Option<i64>,
    /// What happens when too many updated tasks fail
    #[arg(long, value_parser = ["pause", "continue", "rollback"])]
    update_failure_action: Option<String>,
    /// The share of failed tasks that an update accepts, 0 to 1
    #[arg(long, value_name = "RATIO")]
    update_max_failure_ratio: Option<f32>,
    /// How long an updated task must stay up [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    update_monitor: Option<i64>,
    /// Whether the old task stops first or the new one starts first
    #[arg(long, value_parser = ["start-first", "stop-first"])]
    update_order: Option<String>,
    /// How many tasks are updated at a time; 0 means all [default: 1]
    #[arg(long, value_name = "COUNT")]
    update_parallelism: Option<u64>,

    /// The pause between two rolled-back tasks
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    rollback_delay: Option<i64>,
    /// What happens when too many rolled-back tasks fail
    #[arg(long, value_parser = ["pause", "continue"])]
    rollback_failure_action: Option<String>,
    /// The share of failed tasks that a rollback accepts, 0 to 1
    #[arg(long, value_name = "RATIO")]
    rollback_max_failure_ratio: Option<f32>,
    /// How long a rolled-back task must stay up [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    rollback_monitor: Option<i64>,
    /// Whether the old task stops first or the new one starts first
    #[arg(long, value_parser = ["start-first", "stop-first"])]
    rollback_order: Option<String>,
    /// How many tasks are rolled back at a time; 0 means all [default: 1]
    #[arg(long, value_name = "COUNT")]
    rollback_parallelism: Option<u64>,
}

/// The six flags of an update or a rollback.
struct Six<'a> {
    parallelism: Option<u64>,
    delay: Option<i64>,
    failure_action: Option<&'a String>,
    monitor: Option<i64>,
    max_failure_ratio: Option<f32>,
    order: Option<&'a String>,
}

impl Rollout {
    /// Writes what is given into a spec.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) {
        self.restart(&mut spec.task_template.restart_policy);
        Six {
            parallelism: self.update_parallelism,
            delay: self.update_delay,
            failure_action: self.update_failure_action.as_ref(),
            monitor: self.update_monitor,
            max_failure_ratio: self.update_max_failure_ratio,
            order: self.update_order.as_ref(),
        }
        .apply(&mut spec.update_config);
        Six {
            parallelism: self.rollback_parallelism,
            delay: self.rollback_delay,
            failure_action: self.rollback_failure_action.as_ref(),
            monitor: self.rollback_monitor,
            max_failure_ratio: self.rollback_max_failure_ratio,
            order: self.rollback_order.as_ref(),
        }
        .apply(&mut spec.rollback_config);
    }

    fn restart(&self, policy: &mut Option<RestartPolicy>) {
        let is_given = self.restart_condition.is_some()
            || self.restart_delay.is_some()
            || self.restart_max_attempts.is_some()
            || self.restart_window.is_some();
        if !is_given {
            return;
        }
        let policy = policy.get_or_insert_with(|| RestartPolicy {
            condition: "any".into(),
            delay: Some(RESTART_DELAY),
            max_attempts: Some(0),
            window: None,
        });
        if let Some(condition) = &self.restart_condition {
            policy.condition.clone_from(condition);
        }
        policy.delay = self.restart_delay.or(policy.delay);
        policy.max_attempts = self.restart_max_attempts.or(policy.max_attempts);
        policy.window = self.restart_window.or(policy.window);
    }
}

impl Six<'_> {
    fn apply(self, config: &mut Option<UpdateConfig>) {
        let Self { parallelism, delay, failure_action, monitor, max_failure_ratio, order } = self;
        let is_given = parallelism.is_some()
            || delay.is_some()
            || failure_action.is_some()
            || monitor.is_some()
            || max_failure_ratio.is_some()
            || order.is_some();
        if !is_given {
            return;
        }
        let config = config.get_or_insert_with(UpdateConfig::defaults);
        config.parallelism = parallelism.unwrap_or(config.parallelism);
        config.delay = delay.unwrap_or(config.delay);
        config.monitor = monitor.unwrap_or(config.monitor);
        config.max_failure_ratio = max_failure_ratio.unwrap_or(config.max_failure_ratio);
        if let Some(action) = failure_action {
            config.failure_action.clone_from(action);
        }
        if let Some(order) = order {
            config.order.clone_from(order);
        }
    }
}
