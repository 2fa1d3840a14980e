//! Volumes for the Engine API.

use async_trait::async_trait;
use container_json::{Volume, VolumeBody, VolumesPruned};
use docker_api::ApiError;
use docker_api::engine::{ByteStream, Volumes};
use engine::Sizes;
use engine_json::Filters;

use super::Engine;
use super::refusal::told;
use super::stream::{Unpacked, sent};

#[async_trait]
impl Volumes for Engine {
    async fn volumes(&self) -> Result<Vec<Volume>, ApiError> {
        self.engine.volumes_list(Sizes::Unknown).await.map_err(told)
    }

    async fn volume(&self, name: &str) -> Result<Volume, ApiError> {
        self.engine.volume_inspect(name).await.map_err(told)
    }

    async fn create_volume(&self, body: VolumeBody) -> Result<Volume, ApiError> {
        self.engine.volume_create(body).await.map_err(told)
    }

    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), ApiError> {
        self.engine.volume_remove(name, force).await.map_err(told)
    }

    async fn prune_volumes(&self, filters: Filters) -> Result<VolumesPruned, ApiError> {
        self.engine.volumes_prune(filters).await.map_err(told)
    }

    async fn export_volume(&self, name: &str) -> Result<ByteStream, ApiError> {
        Ok(sent(self.engine.volume_export(name).await.map_err(told)?))
    }

    async fn import_volume(&self, name: &str, archive: ByteStream) -> Result<(), ApiError> {
        self.engine.volume_import(name, Unpacked::new(archive)).await.map(drop).map_err(told)
    }
}
