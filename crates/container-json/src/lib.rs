//! The Docker Engine's JSON for containers, their processes, and volumes, which have no place in the model.
//!
//! * [`CreateBody`] is what a client asks for: [`Config`], [`HostConfig`] and [`NetworkingConfig`].
//! * [`Inspect`] and [`Summary`] are what a container looks like; [`Stats`] what it uses.
//! * [`ExecBody`], [`Volume`], [`DiskUsage`]: the nouns beside it.
//!
//! Each type is written as Docker writes it, and read leniently by [`engine_json::decode`]. It never does IO,
//! knows no HTTP, and decides nothing about what it holds.

mod change;
mod config;
mod create;
mod disk_usage;
mod endpoint;
mod exec;
mod host_config;
mod inspect;
mod mount_point;
mod omit;
mod path_stat;
mod prune;
mod resources;
mod state;
mod stats;
mod summary;
mod top;
mod update;
mod volume;
mod wait;

pub use change::{Change, ChangeKind};
pub use config::Config;
pub use create::{CreateBody, Created};
pub use disk_usage::{BuildCache, DiskUsage};
pub use endpoint::{
    Address, EndpointIpam, EndpointSettings, NetworkConnect, NetworkDisconnect, NetworkSettings,
    NetworkingConfig,
};
pub use exec::{ExecBody, ExecCreated, ExecInspect, ExecProcess, ExecStart};
pub use host_config::{HostConfig, LogConfig, PortBinding, RestartPolicy};
pub use inspect::{GraphDriver, Inspect};
pub use mount_point::MountPoint;
pub use path_stat::{InvalidPathStat, PathStat};
pub use prune::{ContainersPruned, NetworksPruned, VolumesPruned};
pub use resources::{DeviceMapping, DeviceRequest, Resources, ThrottleDevice, WeightDevice};
pub use state::{Health, HealthResult, State};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, StorageStats,
    ThrottlingData,
};
pub use summary::{Port, Summary, SummaryHostConfig, SummaryNetworks};
pub use top::Top;
pub use update::{UpdateAnswer, UpdateBody};
pub use volume::{Volume, VolumeBody, VolumeList, VolumeUsage};
pub use wait::{WaitAnswer, WaitError};
