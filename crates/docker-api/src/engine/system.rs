//! The daemon and its host.

use async_trait::async_trait;
use container_json::DiskUsage;
use engine_json as json;

use crate::engine::EventStream;
use crate::error::ApiError;

/// The daemon and its host.
#[async_trait]
pub trait System: Send + Sync + 'static {
    /// Describes the engine, for `version`.
    fn version(&self) -> json::Version;

    /// Describes this host, for `info`; what concerns the cluster is filled in by the API.
    async fn info(&self) -> json::Info;

    /// Tells what happens on this host: what is past since a time, as far as it is known, and what is to come.
    /// What is past is there at once.
    fn events(&self, since: Option<json::Time>) -> EventStream;

    /// Measures what takes room on the disk; what is not asked for is none.
    async fn disk_usage(&self, of: UsageOf) -> Result<DiskUsage, ApiError>;

    /// Asks a registry whether it accepts credentials.
    async fn login(&self, auth: json::RegistryAuth) -> Result<json::LoginAnswer, ApiError>;
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct UsageOf {
    /// Images.
    pub images: bool,
    /// Containers.
    pub containers: bool,
    /// Volumes.
    pub volumes: bool,
    /// Remains of builds, of which there are none.
    pub build_cache: bool,
}
