//! Volumes for the Engine API: those of this host, and as archives those of other nodes too.

use async_trait::async_trait;
use container_json::{Volume, VolumeBody, VolumesPruned};
use dispatcher::{VolumeError, VolumeErrorKind};
use docker_api::engine::{ByteStream, Onto, VolumeOn, Volumes};
use docker_api::{ApiError, Status};
use engine::Sizes;
use engine_json::Filters;
use futures_util::StreamExt;

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

    async fn export_volume(&self, volume: &VolumeOn) -> Result<ByteStream, ApiError> {
        let VolumeOn { name, node } = volume;
        let Some((id, called)) = node else {
            return Ok(sent(self.engine.volume_export(name).await.map_err(told)?));
        };
        let exported = self.dispatcher()?.export_volume(identity::random_id(), *id, name).await;
        let archive = exported.map_err(|error| elsewhere(error, name, called))?;
        let (name, called) = (name.clone(), called.clone());
        let failed = move |error| std::io::Error::other(elsewhere(error, &name, &called).message);
        Ok(Box::pin(archive.map(move |piece| piece.map_err(&failed))))
    }

    async fn import_volume(
        &self,
        volume: &VolumeOn,
        onto: Onto,
        archive: ByteStream,
    ) -> Result<(), ApiError> {
        let VolumeOn { name, node } = volume;
        let Some((id, called)) = node else {
            let onto = match onto {
                Onto::Nothing => volume::Onto::Nothing,
                Onto::Anything => volume::Onto::Anything,
            };
            let imported = self.engine.volume_import(name, onto, Unpacked::new(archive)).await;
            return imported.map(drop).map_err(told);
        };
        let onto = match onto {
            Onto::Nothing => dispatcher::Onto::Nothing,
            Onto::Anything => dispatcher::Onto::Anything,
        };
        let imported =
            self.dispatcher()?.import_volume(identity::random_id(), *id, name, onto, archive).await;
        imported.map_err(|error| elsewhere(error, name, called))
    }
}

impl Engine {
    fn dispatcher(&self) -> Result<dispatcher::Dispatcher, ApiError> {
        let gone = || ApiError::new(Status::Unavailable, "this node has just ceased to be a manager");
        self.member.dispatcher().ok_or_else(gone)
    }
}

/// Turns what another node says of its volume into what a client is told.
fn elsewhere(error: VolumeError, volume: &str, node: &str) -> ApiError {
    let status = match error.kind {
        VolumeErrorKind::NotFound => Status::NotFound,
        VolumeErrorKind::Conflict => Status::Conflict,
        VolumeErrorKind::Invalid => Status::BadRequest,
        VolumeErrorKind::Unavailable => Status::Unavailable,
        VolumeErrorKind::Failed => Status::Internal,
    };
    ApiError::new(status, format!("volume {volume} on node {node}: {}", error.message))
}
