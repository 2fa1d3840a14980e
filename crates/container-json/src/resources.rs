//! What a container may use of its host.

use engine_json::{Labels, Ulimit};
use serde::{Deserialize, Serialize};

use crate::omit::null_if_empty;

/// What a container may use of its host; 0 and empty mean without limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resources {
    /// Its weight among containers that compete for the processor.
    pub cpu_shares: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Billionths of a CPU.
    pub nano_cpus: i64,
    /// The cgroup above its own.
    pub cgroup_parent: String,
    /// Its weight among containers that compete for disks.
    pub blkio_weight: u16,
    /// The same, for one disk each.
    pub blkio_weight_device: Vec<WeightDevice>,
    /// Bytes per second read from a disk.
    pub blkio_device_read_bps: Vec<ThrottleDevice>,
    /// Bytes per second written to a disk.
    pub blkio_device_write_bps: Vec<ThrottleDevice>,
    /// Reads per second from a disk.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Vec<ThrottleDevice>,
    /// Writes per second to a disk.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Vec<ThrottleDevice>,
    /// The microseconds over which the quota counts.
    pub cpu_period: i64,
    /// Microseconds of processor time in each period.
    pub cpu_quota: i64,
    /// The same for real-time processes.
    pub cpu_realtime_period: i64,
    /// Microseconds for real-time processes in each such period.
    pub cpu_realtime_runtime: i64,
    /// Processors it may use, such as `0-2,7`.
    pub cpuset_cpus: String,
    /// Memory nodes it may use.
    pub cpuset_mems: String,
    /// Devices of the host it has.
    pub devices: Vec<DeviceMapping>,
    /// Rules for devices, such as `c 13:* rwm`.
    #[serde(serialize_with = "null_if_empty")]
    pub device_cgroup_rules: Vec<String>,
    /// Devices that a driver finds.
    #[serde(serialize_with = "null_if_empty")]
    pub device_requests: Vec<DeviceRequest>,
    /// Bytes of memory that it is pressed down to when memory is scarce.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; -1 means without limit.
    pub memory_swap: i64,
    /// How eagerly its memory is swapped, 0 to 100; -1 means as the host does.
    pub memory_swappiness: Option<i64>,
    /// Whether it is stalled, not killed, when its memory is used up.
    pub oom_kill_disable: Option<bool>,
    /// How many processes and threads; 0 and -1 mean without limit.
    pub pids_limit: Option<i64>,
    /// Limits of its processes.
    pub ulimits: Vec<Ulimit>,
    /// Of Windows.
    pub cpu_count: i64,
    /// Of Windows.
    pub cpu_percent: i64,
    /// Of Windows.
    #[serde(rename = "IOMaximumIOps")]
    pub io_maximum_iops: u64,
    /// Of Windows.
    #[serde(rename = "IOMaximumBandwidth")]
    pub io_maximum_bandwidth: u64,
}

/// The weight of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WeightDevice {
    /// The device file.
    pub path: String,
    /// 10 to 1000.
    pub weight: u16,
}

/// The limit of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ThrottleDevice {
    /// The device file.
    pub path: String,
    /// How much per second.
    pub rate: u64,
}

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceMapping {
    /// The device file of the host.
    pub path_on_host: String,
    /// The device file inside.
    pub path_in_container: String,
    /// Some of `r`, `w` and `m`.
    pub cgroup_permissions: String,
}

/// A wish for devices that a driver finds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceRequest {
    /// The driver.
    pub driver: String,
    /// How many; -1 means all.
    pub count: i64,
    /// Which ones.
    #[serde(rename = "DeviceIDs", serialize_with = "null_if_empty")]
    pub device_ids: Vec<String>,
    /// What they can do: one of the lists, all of it.
    #[serde(serialize_with = "null_if_empty")]
    pub capabilities: Vec<Vec<String>>,
    /// Options of the driver.
    pub options: Labels,
}
