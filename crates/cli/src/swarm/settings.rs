//! Settings that `swarm init` and `swarm update` share.

use anyhow::Result;
use clap::Args;
use engine_json::SwarmSpec;
use format::duration;

/// Settings of the cluster.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub struct Settings {
    /// Ask for a key when a manager restarts
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub autolock: Option<bool>,
    /// How long nodes' certificates are valid [default: 2160h]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    cert_expiry: Option<i64>,
    /// The time between two heartbeats of a node
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    dispatcher_heartbeat: Option<i64>,
    /// How many snapshots are kept beside the latest
    #[arg(long, value_name = "COUNT")]
    max_snapshots: Option<u64>,
    /// How many log entries lie between two snapshots [default: 10000]
    #[arg(long, value_name = "COUNT")]
    snapshot_interval: Option<u64>,
    /// How many old tasks are kept per slot; negative keeps all [default: 5]
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    task_history_limit: Option<i64>,
}

impl Settings {
    /// Writes what is given into a spec.
    pub(super) fn apply(&self, spec: &mut SwarmSpec) -> Result<()> {
        let Self {
            autolock,
            cert_expiry,
            dispatcher_heartbeat,
            max_snapshots,
            snapshot_interval,
            task_history_limit,
        } = self;
        if let Some(autolock) = autolock {
            spec.encryption_config.auto_lock_managers = *autolock;
        }
        if let Some(expiry) = cert_expiry {
            spec.ca_config.node_cert_expiry = *expiry;
        }
        if let Some(period) = dispatcher_heartbeat {
            spec.dispatcher.heartbeat_period = *period;
        }
        if let Some(interval) = snapshot_interval {
            spec.raft.snapshot_interval = *interval;
        }
        spec.raft.keep_old_snapshots = max_snapshots.or(spec.raft.keep_old_snapshots);
        let limit = &mut spec.orchestration.task_history_retention_limit;
        *limit = task_history_limit.or(*limit);
        Ok(())
    }

    /// Claims that nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
