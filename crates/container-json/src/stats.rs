//! What a container uses.

use std::collections::BTreeMap;

use engine_json::Time;
use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty};

/// What a container uses. The shape holds what both versions of cgroups tell; the second leaves
/// [`MemoryStats::max_usage`], [`MemoryStats::failcnt`] and [`CpuUsage::percpu_usage`] out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Its name, with a slash before it.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Its id.
    #[serde(skip_serializing_if = "empty")]
    pub id: String,
    /// When this was read.
    pub read: Time,
    /// When the figures of [`Stats::precpu_stats`] were read.
    pub preread: Time,
    /// Its processes.
    pub pids_stats: PidsStats,
    /// Its disks.
    pub blkio_stats: BlkioStats,
    /// Of Windows.
    pub num_procs: u32,
    /// Of Windows.
    pub storage_stats: StorageStats,
    /// Its processor time.
    pub cpu_stats: CpuStats,
    /// Its processor time when it was read before.
    pub precpu_stats: CpuStats,
    /// Its memory.
    pub memory_stats: MemoryStats,
    /// Its network interfaces, by name.
    #[serde(skip_serializing_if = "empty")]
    pub networks: BTreeMap<String, NetworkStats>,
}

/// Processes and threads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PidsStats {
    /// How many there are.
    #[serde(skip_serializing_if = "empty")]
    pub current: u64,
    /// How many there may be.
    #[serde(skip_serializing_if = "empty")]
    pub limit: u64,
}

/// What went to disks and came from them. The second version of cgroups tells the first two lists at the most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    /// Bytes.
    #[serde(serialize_with = "null_if_empty")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations.
    #[serde(serialize_with = "null_if_empty")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Operations that wait.
    #[serde(serialize_with = "null_if_empty")]
    pub io_queue_recursive: Vec<BlkioEntry>,
    /// Nanoseconds in the device.
    #[serde(serialize_with = "null_if_empty")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Nanoseconds before the device.
    #[serde(serialize_with = "null_if_empty")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Operations that became part of others.
    #[serde(serialize_with = "null_if_empty")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Milliseconds.
    #[serde(serialize_with = "null_if_empty")]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors.
    #[serde(serialize_with = "null_if_empty")]
    pub sectors_recursive: Vec<BlkioEntry>,
}

/// A figure of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    /// The device's class.
    pub major: u64,
    /// The device in its class.
    pub minor: u64,
    /// `read`, `write` and others, in any case.
    pub op: String,
    /// The figure.
    pub value: u64,
}

/// Of Windows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageStats {}

/// Processor time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// The container's.
    pub cpu_usage: CpuUsage,
    /// The host's, in nanoseconds.
    #[serde(skip_serializing_if = "empty")]
    pub system_cpu_usage: u64,
    /// How many processors there are.
    #[serde(skip_serializing_if = "empty")]
    pub online_cpus: u32,
    /// How often it had to wait for its quota.
    pub throttling_data: ThrottlingData,
}

/// Nanoseconds of processor time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// In all.
    pub total_usage: u64,
    /// On each processor; of the first version of cgroups.
    #[serde(skip_serializing_if = "empty")]
    pub percpu_usage: Vec<u64>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// Outside it.
    pub usage_in_usermode: u64,
}

/// How often a container had to wait for its quota.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ThrottlingData {
    /// Periods there were.
    pub periods: u64,
    /// Periods in which it had to wait.
    pub throttled_periods: u64,
    /// Nanoseconds it waited.
    pub throttled_time: u64,
}

/// Memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// Bytes in use, caches included.
    #[serde(skip_serializing_if = "empty")]
    pub usage: u64,
    /// The most that was in use; of the first version of cgroups.
    #[serde(skip_serializing_if = "empty")]
    pub max_usage: u64,
    /// The figures of `memory.stat`, by name. Clients take `total_inactive_file` of the first version or
    /// `inactive_file` of the second from the usage.
    #[serde(skip_serializing_if = "empty")]
    pub stats: BTreeMap<String, u64>,
    /// How often the limit was reached; of the first version of cgroups.
    #[serde(skip_serializing_if = "empty")]
    pub failcnt: u64,
    /// The limit: the container's, or the host's memory.
    #[serde(skip_serializing_if = "empty")]
    pub limit: u64,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the kernel's and say what they hold")]
pub struct NetworkStats {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}
