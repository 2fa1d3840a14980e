//! What a manager's consensus needs to know before it starts.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of one manager's consensus; the defaults suit a LAN.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds the log, the snapshots and the data key.
    pub dir: PathBuf,
    /// This manager's number in the group; never zero, never used twice in a cluster.
    pub raft_id: u64,
    /// The node this manager runs on.
    pub node_id: String,
    /// Where other managers reach this one, as `host:port`.
    pub address: String,
    /// The length of one tick.
    pub tick: Duration,
    /// Ticks without a word from the leader before a follower may stand for election.
    pub election_ticks: usize,
    /// Upper end (excluded) of the randomised election timeout, in ticks.
    pub election_ticks_max: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: usize,
    /// Entries applied since the last snapshot that cause the next one.
    pub snapshot_every: u64,
    /// Log bytes in memory that cause a snapshot before `snapshot_every` is reached.
    pub snapshot_bytes: usize,
    /// Entries kept behind a snapshot, so that a slow follower needs no snapshot.
    pub keep_for_slow_followers: u64,
    /// The largest entry `propose` takes.
    pub entry_bytes_max: usize,
    /// The largest snapshot a manager accepts from its leader.
    pub snapshot_bytes_max: usize,
    /// How large one file of the log grows; the next one is laid out in advance.
    pub segment_bytes: usize,
    /// How long `propose` waits in all, elections included.
    pub propose_timeout: Duration,
    /// How long a call waits for a leader to appear before it reports that there is none.
    pub leader_timeout: Duration,
    /// How long `Start::Join` tries before it gives up.
    pub join_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            raft_id: 0,
            node_id: String::new(),
            address: String::new(),
            tick: Duration::from_millis(100),
            election_ticks: 10,
            // A narrow range: with ticks out of phase between hosts and a pre-vote before each
            // election, a collision costs one more round, not an outage.
            election_ticks_max: 16,
            heartbeat_ticks: 1,
            snapshot_every: 10_000,
            snapshot_bytes: 16 << 20,
            keep_for_slow_followers: 500,
            entry_bytes_max: 1 << 20,
            snapshot_bytes_max: 1 << 30,
            segment_bytes: 4 << 20,
            propose_timeout: Duration::from_secs(20),
            leader_timeout: Duration::from_secs(5),
            join_timeout: Duration::from_secs(30),
        }
    }
}

/// How a manager comes into its group.
#[derive(Debug, Clone)]
pub enum Start {
    /// The first manager of a cluster; the folder must be unused.
    Bootstrap,
    /// One more manager, added through any of these addresses.
    Join {
        /// Addresses of managers, as `host:port`.
        via: Vec<String>,
    },
    /// A manager that was a member before, from what its folder holds.
    Resume,
    /// This manager alone, with every entry its folder holds; all other members are dropped.
    ForceNewCluster,
}
