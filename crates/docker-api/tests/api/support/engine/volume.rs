//! Volumes that are only said to be there.

use async_trait::async_trait;
use container_json::{Volume, VolumeBody, VolumesPruned};
use docker_api::engine::{ByteStream, Onto, VolumeOn, Volumes};
use docker_api::{ApiError, Status};
use engine_json::Filters;
use futures_util::{StreamExt, stream};

use super::{FakeEngine, drain};

#[async_trait]
impl Volumes for FakeEngine {
    async fn volumes(&self) -> Result<Vec<Volume>, ApiError> {
        Ok(self.inner.lock().unwrap().volumes.clone())
    }

    async fn volume(&self, name: &str) -> Result<Volume, ApiError> {
        let volumes = self.volumes().await?;
        let found = volumes.into_iter().find(|volume| volume.name == name);
        found.ok_or_else(|| ApiError::not_found(format!("get {name}: no such volume")))
    }

    async fn create_volume(&self, body: VolumeBody) -> Result<Volume, ApiError> {
        let volume = Volume {
            mountpoint: format!("/var/lib/drover/volumes/{}/_data", body.name),
            name: body.name,
            driver: body.driver,
            labels: body.labels,
            options: body.driver_opts,
            scope: "local".into(),
            ..Volume::default()
        };
        self.inner.lock().unwrap().volumes.push(volume.clone());
        Ok(volume)
    }

    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), ApiError> {
        self.note(format!("remove volume {name} {force}"));
        match self.volume(name).await {
            Err(_) if force => return Ok(()),
            found => found?,
        };
        if name == "used" {
            let why = format!("remove {name}: volume is in use - [c0ffee]");
            return Err(ApiError::new(Status::Conflict, why));
        }
        self.inner.lock().unwrap().volumes.retain(|volume| volume.name != name);
        Ok(())
    }

    async fn prune_volumes(&self, filters: Filters) -> Result<VolumesPruned, ApiError> {
        self.note(format!("prune volumes {}", filters.to_json()));
        Ok(VolumesPruned { volumes_deleted: vec!["old".into()], space_reclaimed: 1_000 })
    }

    async fn export_volume(&self, volume: &VolumeOn) -> Result<ByteStream, ApiError> {
        match &volume.node {
            Some((node, name)) => self.note(format!("export {} of {node}, called {name}", volume.name)),
            None => drop(self.volume(&volume.name).await?),
        }
        Ok(stream::iter([Ok("a ".into()), Ok("tree".into())]).boxed())
    }

    async fn import_volume(
        &self,
        volume: &VolumeOn,
        onto: Onto,
        archive: ByteStream,
    ) -> Result<(), ApiError> {
        let size = drain(archive).await?.len();
        let node = volume.node.as_ref().map_or("here", |(_, name)| name.as_str());
        self.note(format!("import into {} {node} {size} onto {onto:?}", volume.name));
        Ok(())
    }
}
