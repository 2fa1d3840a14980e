//! What the API asks for and this host does not do: containers outside services, and volumes.

use async_trait::async_trait;
use container_json as json;
use docker_api::ApiError;
use docker_api::engine::{
    Archives, Attach, ByteStream, ContainerRemoval, Containers, Execs, Session, Size, Stop, Unpack, Volumes,
    WaitFor, Waiting,
};
use engine_json::Filters;

use super::{Engine, containers};

fn no<T>() -> Result<T, ApiError> {
    Err(ApiError::not_supported("containers outside services are not supported: use docker service"))
}

#[async_trait]
impl Containers for Engine {
    async fn containers(&self, _with_size: bool) -> Result<Vec<json::Summary>, ApiError> {
        let mut all = containers::list(&self.containers);
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }
    async fn container(&self, name: &str, _with_size: bool) -> Result<json::Inspect, ApiError> {
        containers::inspect(&self.containers, name)
    }
    async fn create_container(
        &self,
        _: &str,
        _: &str,
        _: json::CreateBody,
    ) -> Result<json::Created, ApiError> {
        no()
    }
    async fn start_container(&self, _: &str) -> Result<(), ApiError> {
        no()
    }
    async fn stop_container(&self, _: &str, _: Stop) -> Result<(), ApiError> {
        no()
    }
    async fn restart_container(&self, _: &str, _: Stop) -> Result<(), ApiError> {
        no()
    }
    async fn kill_container(&self, _: &str, _: &str) -> Result<(), ApiError> {
        no()
    }
    async fn pause_container(&self, _: &str) -> Result<(), ApiError> {
        no()
    }
    async fn unpause_container(&self, _: &str) -> Result<(), ApiError> {
        no()
    }
    async fn wait_container(&self, _: &str, _: WaitFor) -> Result<Waiting, ApiError> {
        no()
    }
    async fn resize_container(&self, _: &str, _: Size) -> Result<(), ApiError> {
        no()
    }
    async fn rename_container(&self, _: &str, _: &str) -> Result<(), ApiError> {
        no()
    }
    async fn update_container(&self, _: &str, _: json::UpdateBody) -> Result<json::UpdateAnswer, ApiError> {
        no()
    }
    async fn remove_container(&self, _: &str, _: ContainerRemoval) -> Result<(), ApiError> {
        no()
    }
    async fn prune_containers(&self, _: Filters) -> Result<json::ContainersPruned, ApiError> {
        no()
    }
    async fn attach_container(&self, _: &str, _: Attach) -> Result<Box<dyn Session>, ApiError> {
        no()
    }
    async fn container_stats(&self, _: &str) -> Result<json::Stats, ApiError> {
        no()
    }
    async fn container_top(&self, _: &str, _: &str) -> Result<json::Top, ApiError> {
        no()
    }
    async fn container_changes(&self, _: &str) -> Result<Vec<json::Change>, ApiError> {
        no()
    }
    async fn export_container(&self, _: &str) -> Result<ByteStream, ApiError> {
        no()
    }
}

#[async_trait]
impl Archives for Engine {
    async fn path_stat(&self, _: &str, _: &str) -> Result<json::PathStat, ApiError> {
        no()
    }
    async fn pack(&self, _: &str, _: &str) -> Result<(json::PathStat, ByteStream), ApiError> {
        no()
    }
    async fn unpack(&self, _: &str, _: &str, _: Unpack, _: ByteStream) -> Result<(), ApiError> {
        no()
    }
}

#[async_trait]
impl Execs for Engine {
    async fn create_exec(&self, _: &str, _: json::ExecBody) -> Result<json::ExecCreated, ApiError> {
        no()
    }
    async fn start_exec(&self, _: &str, _: json::ExecStart) -> Result<Box<dyn Session>, ApiError> {
        no()
    }
    async fn start_exec_detached(&self, _: &str, _: json::ExecStart) -> Result<(), ApiError> {
        no()
    }
    async fn resize_exec(&self, _: &str, _: Size) -> Result<(), ApiError> {
        no()
    }
    async fn exec(&self, _: &str) -> Result<json::ExecInspect, ApiError> {
        no()
    }
}

#[async_trait]
impl Volumes for Engine {
    async fn volumes(&self) -> Result<Vec<json::Volume>, ApiError> {
        Ok(Vec::new())
    }
    async fn volume(&self, name: &str) -> Result<json::Volume, ApiError> {
        Err(ApiError::not_found(format!("get {name}: no such volume")))
    }
    async fn create_volume(&self, _: json::VolumeBody) -> Result<json::Volume, ApiError> {
        no()
    }
    async fn remove_volume(&self, _: &str, _: bool) -> Result<(), ApiError> {
        no()
    }
    async fn prune_volumes(&self, _: Filters) -> Result<json::VolumesPruned, ApiError> {
        no()
    }
    async fn export_volume(&self, _: &str) -> Result<ByteStream, ApiError> {
        no()
    }
    async fn import_volume(&self, _: &str, _: ByteStream) -> Result<(), ApiError> {
        no()
    }
}
