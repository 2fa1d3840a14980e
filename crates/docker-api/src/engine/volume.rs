//! Volumes of this host; as archives, also those of other nodes.

use async_trait::async_trait;
use container_json::{Volume, VolumeBody, VolumesPruned};
use engine_json::Filters;
use model::NodeId;

use crate::engine::ByteStream;
use crate::error::ApiError;

/// Volumes of this host.
#[async_trait]
pub trait Volumes: Send + Sync + 'static {
    /// Lists the volumes.
    async fn volumes(&self) -> Result<Vec<Volume>, ApiError>;

    /// Describes a volume.
    async fn volume(&self, name: &str) -> Result<Volume, ApiError>;

    /// Makes a volume, or returns the one that has the name and the driver already.
    async fn create_volume(&self, body: VolumeBody) -> Result<Volume, ApiError>;

    /// Removes a volume; with force, that there is none is no error.
    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), ApiError>;

    /// Removes volumes that no container has: filters `label`, `label!` and `all`.
    async fn prune_volumes(&self, filters: Filters) -> Result<VolumesPruned, ApiError>;

    /// Packs what is in a volume.
    async fn export_volume(&self, volume: &VolumeOn) -> Result<ByteStream, ApiError>;

    /// Unpacks an archive, compressed or not, into a volume, which is made if there is none.
    async fn import_volume(&self, volume: &VolumeOn, onto: Onto, archive: ByteStream)
    -> Result<(), ApiError>;
}

/// Which volume goes in or out as an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeOn {
    /// Its name.
    pub name: String,
    /// The node it is on, and what the user calls that, if it is not this host.
    pub node: Option<(NodeId, String)>,
}

/// What an archive may be unpacked onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// A volume that holds nothing.
    Nothing,
    /// Whatever the volume holds: what has the same name is replaced.
    Anything,
}
