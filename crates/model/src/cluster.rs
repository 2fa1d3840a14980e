//! The cluster itself: its settings, certificate authority and join tokens.

use std::time::Duration;

use crate::{ClusterId, Invalid, Labels, LogDriver, Meta, Subnet};

/// The cluster; there is one such object.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its id. Written by: `control`.
    pub id: ClusterId,
    /// Version and times.
    pub meta: Meta,
    /// Settings. Written by: `control`.
    pub spec: ClusterSpec,
    /// The root of every node's certificate. Written by: `control`.
    pub root_ca: RootCa,
    /// What lets a node join. Written by: `control`.
    pub join_tokens: JoinTokens,
    /// Pools from which subnets are cut. Written by: `control`.
    pub address_pools: Vec<Subnet>,
    /// The prefix length of a subnet. Written by: `control`.
    pub subnet_prefix: u8,
    /// The UDP port of VXLAN. Written by: `control`.
    pub data_path_port: u16,
    /// The subnet cut from the pools last; the next one is cut behind it, so that freed ones are used again last.
    /// Written by: `allocator`.
    pub last_subnet: Option<Subnet>,
    /// The VXLAN network identifier given out last, kept for the same reason. Written by: `allocator`.
    pub last_vni: Option<u32>,
}

/// Settings of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// Always `default`.
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// How many tasks are kept per slot; negative keeps all.
    pub task_history_limit: i64,
    /// Settings of the log.
    pub raft: RaftSpec,
    /// How often an agent says that it is there.
    pub heartbeat_period: Duration,
    /// How long a node's certificate is valid.
    pub certificate_validity: Duration,
    /// Whether managers ask for a key after a restart.
    pub autolock: bool,
    /// A counter; raising it rotates the root.
    pub ca_force_rotate: u64,
    /// Where tasks' output goes unless a service says otherwise.
    pub log_driver: Option<LogDriver>,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            name: "default".into(),
            labels: Labels::new(),
            task_history_limit: 5,
            raft: RaftSpec::default(),
            // A node counts as down after three of these, so that a lost host is noticed within 3 s.
            heartbeat_period: Duration::from_secs(1),
            certificate_validity: Duration::from_secs(90 * 24 * 3600),
            autolock: false,
            ca_force_rotate: 0,
            log_driver: None,
        }
    }
}

impl ClusterSpec {
    /// The shortest validity a certificate may have.
    const VALIDITY_MIN: Duration = Duration::from_secs(3600);

    /// Checks the settings.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.name != "default" {
            return Err(Invalid::because(format!(
                "the cluster's name must be \"default\", not {:?}",
                self.name
            )));
        }
        if self.certificate_validity < Self::VALIDITY_MIN {
            return Err(Invalid::because("minimum certificate expiry time must be 1h0m0s or longer"));
        }
        if self.raft.election_tick <= self.raft.heartbeat_tick {
            return Err(Invalid::because("invalid election tick: it must exceed the heartbeat tick"));
        }
        Ok(())
    }
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftSpec {
    /// How many entries lie between two snapshots.
    pub snapshot_interval: u64,
    /// How many snapshots are kept beside the latest.
    pub keep_old_snapshots: u64,
    /// How many entries are kept after a snapshot for members that are behind.
    pub entries_for_slow_followers: u64,
    /// Ticks without a leader after which an election begins.
    pub election_tick: u32,
    /// Ticks between two heartbeats of the leader.
    pub heartbeat_tick: u32,
}

impl Default for RaftSpec {
    fn default() -> Self {
        Self {
            snapshot_interval: 10_000,
            keep_old_snapshots: 0,
            entries_for_slow_followers: 500,
            election_tick: 10,
            heartbeat_tick: 1,
        }
    }
}

/// The root of every node's certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct RootCa {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The private key, PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for RootCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootCa").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

/// What lets a node join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokens {
    /// As a worker.
    pub worker: String,
    /// As a manager.
    pub manager: String,
}

impl std::fmt::Debug for JoinTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinTokens")
    }
}
