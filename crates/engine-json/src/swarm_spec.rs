//! Settings of the cluster.

use std::time::Duration;

use model::{ClusterSpec, Invalid, RaftSpec};
use serde::{Deserialize, Serialize};

use crate::omit::{duration, empty, nanoseconds};
use crate::{Driver, Labels};

/// Settings of the cluster; durations in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmSpec {
    /// Always `default`.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// How many old tasks are kept.
    pub orchestration: OrchestrationConfig,
    /// Settings of the log.
    pub raft: RaftConfig,
    /// Heartbeats.
    pub dispatcher: DispatcherConfig,
    /// Certificates.
    #[serde(rename = "CAConfig")]
    pub ca_config: CaConfig,
    /// What applies to tasks unless a service says otherwise.
    pub task_defaults: TaskDefaults,
    /// Whether managers lock.
    pub encryption_config: EncryptionConfig,
}

/// How many old tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OrchestrationConfig {
    /// Per slot; negative keeps all.
    #[serde(skip_serializing_if = "empty")]
    pub task_history_retention_limit: Option<i64>,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RaftConfig {
    /// How many entries lie between two snapshots.
    #[serde(skip_serializing_if = "empty")]
    pub snapshot_interval: u64,
    /// How many snapshots are kept beside the latest.
    #[serde(skip_serializing_if = "empty")]
    pub keep_old_snapshots: Option<u64>,
    /// How many entries are kept for members that are behind.
    #[serde(skip_serializing_if = "empty")]
    pub log_entries_for_slow_followers: u64,
    /// Ticks without a leader after which an election begins.
    pub election_tick: u32,
    /// Ticks between two heartbeats of the leader.
    pub heartbeat_tick: u32,
}

/// Heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DispatcherConfig {
    /// How often an agent says that it is there.
    #[serde(skip_serializing_if = "empty")]
    pub heartbeat_period: i64,
}

/// Certificates.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CaConfig {
    /// How long a node's certificate is valid.
    #[serde(skip_serializing_if = "empty")]
    pub node_cert_expiry: i64,
    /// Authorities outside the cluster.
    #[serde(rename = "ExternalCAs", skip_serializing_if = "empty")]
    pub external_cas: Vec<ExternalCa>,
    /// A root certificate to take; never shown.
    #[serde(rename = "SigningCACert", skip_serializing_if = "empty")]
    pub signing_ca_cert: String,
    /// Its key; never shown.
    #[serde(rename = "SigningCAKey", skip_serializing_if = "empty")]
    pub signing_ca_key: String,
    /// A counter; raising it rotates the root.
    #[serde(skip_serializing_if = "empty")]
    pub force_rotate: u64,
}

impl std::fmt::Debug for CaConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaConfig")
            .field("node_cert_expiry", &self.node_cert_expiry)
            .field("force_rotate", &self.force_rotate)
            .finish_non_exhaustive()
    }
}

/// An authority outside the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExternalCa {
    /// Always `cfssl`.
    pub protocol: String,
    /// Where it answers.
    #[serde(rename = "URL")]
    pub url: String,
    /// Its options.
    #[serde(skip_serializing_if = "empty")]
    pub options: Labels,
    /// Its certificate.
    #[serde(rename = "CACert")]
    pub ca_cert: String,
}

/// What applies to tasks unless a service says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskDefaults {
    /// Where output goes.
    #[serde(skip_serializing_if = "empty")]
    pub log_driver: Option<Driver>,
}

/// Whether managers lock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EncryptionConfig {
    /// Whether managers ask for a key after a restart.
    pub auto_lock_managers: bool,
}

impl SwarmSpec {
    /// Returns the settings of `base` with every value that is given here in their place; zero means "not given".
    pub fn over(self, base: ClusterSpec) -> Result<ClusterSpec, Invalid> {
        let Self {
            name,
            labels,
            orchestration,
            raft,
            dispatcher,
            ca_config,
            task_defaults,
            encryption_config,
        } = self;
        let CaConfig { node_cert_expiry, external_cas, signing_ca_cert, signing_ca_key, force_rotate } =
            ca_config;
        if let Some(external) = external_cas.first() {
            return Err(Invalid::because(format!(
                "external CA {} cannot be used: certificates are signed by the managers only",
                external.url
            )));
        }
        if !signing_ca_cert.is_empty() || !signing_ca_key.is_empty() {
            return Err(Invalid::because(
                "a signing CA certificate or key cannot be set: the cluster makes its own root",
            ));
        }
        Ok(ClusterSpec {
            name: if name.is_empty() { base.name } else { name },
            labels: if labels.is_empty() { base.labels } else { labels },
            task_history_limit: orchestration.task_history_retention_limit.unwrap_or(base.task_history_limit),
            raft: raft.over(base.raft),
            heartbeat_period: unless_zero(
                duration(dispatcher.heartbeat_period, "heartbeat period")?,
                base.heartbeat_period,
            ),
            certificate_validity: unless_zero(
                duration(node_cert_expiry, "certificate expiry time")?,
                base.certificate_validity,
            ),
            autolock: encryption_config.auto_lock_managers,
            ca_force_rotate: force_rotate,
            log_driver: task_defaults.log_driver.map(model::LogDriver::from).or(base.log_driver),
        })
    }
}

fn unless_zero(value: Duration, base: Duration) -> Duration {
    if value.is_zero() { base } else { value }
}

impl RaftConfig {
    fn over(self, base: RaftSpec) -> RaftSpec {
        fn unless_zero<T: Default + PartialEq>(value: T, base: T) -> T {
            if empty(&value) { base } else { value }
        }
        RaftSpec {
            snapshot_interval: unless_zero(self.snapshot_interval, base.snapshot_interval),
            keep_old_snapshots: self.keep_old_snapshots.unwrap_or(base.keep_old_snapshots),
            entries_for_slow_followers: unless_zero(
                self.log_entries_for_slow_followers,
                base.entries_for_slow_followers,
            ),
            election_tick: unless_zero(self.election_tick, base.election_tick),
            heartbeat_tick: unless_zero(self.heartbeat_tick, base.heartbeat_tick),
        }
    }
}

impl From<&ClusterSpec> for SwarmSpec {
    fn from(spec: &ClusterSpec) -> Self {
        let ClusterSpec {
            name,
            labels,
            task_history_limit,
            raft,
            heartbeat_period,
            certificate_validity,
            autolock,
            ca_force_rotate,
            log_driver,
        } = spec;
        Self {
            name: name.clone(),
            labels: labels.clone(),
            orchestration: OrchestrationConfig { task_history_retention_limit: Some(*task_history_limit) },
            raft: RaftConfig::from(raft),
            dispatcher: DispatcherConfig { heartbeat_period: nanoseconds(*heartbeat_period) },
            ca_config: CaConfig {
                node_cert_expiry: nanoseconds(*certificate_validity),
                force_rotate: *ca_force_rotate,
                ..CaConfig::default()
            },
            task_defaults: TaskDefaults { log_driver: log_driver.as_ref().map(Driver::from) },
            encryption_config: EncryptionConfig { auto_lock_managers: *autolock },
        }
    }
}

impl From<&RaftSpec> for RaftConfig {
    fn from(raft: &RaftSpec) -> Self {
        let RaftSpec {
            snapshot_interval,
            keep_old_snapshots,
            entries_for_slow_followers,
            election_tick,
            heartbeat_tick,
        } = raft;
        Self {
            snapshot_interval: *snapshot_interval,
            keep_old_snapshots: Some(*keep_old_snapshots),
            log_entries_for_slow_followers: *entries_for_slow_followers,
            election_tick: *election_tick,
            heartbeat_tick: *heartbeat_tick,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let given = SwarmSpec {
            orchestration: OrchestrationConfig { task_history_retention_limit: Some(-1) },
            ca_config: CaConfig { node_cert_expiry: 7_200_000_000_000, ..CaConfig::default() },
            ..SwarmSpec::default()
        };

        let spec = given.over(ClusterSpec::default()).unwrap();

        assert_eq!(spec.task_history_limit, -1);
        assert_eq!(spec.certificate_validity, Duration::from_secs(7200));
        assert_eq!(spec.raft, RaftSpec::default());
        assert_eq!(SwarmSpec::from(&spec).over(ClusterSpec::default()), Ok(spec));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for spec in [
            SwarmSpec { dispatcher: DispatcherConfig { heartbeat_period: -1 }, ..SwarmSpec::default() },
            SwarmSpec {
                ca_config: CaConfig { external_cas: vec![ExternalCa::default()], ..CaConfig::default() },
                ..SwarmSpec::default()
            },
            SwarmSpec {
                ca_config: CaConfig { signing_ca_key: "x".into(), ..CaConfig::default() },
                ..SwarmSpec::default()
            },
        ] {
            assert!(spec.over(ClusterSpec::default()).is_err());
        }
    }
}
