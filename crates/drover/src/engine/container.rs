//! Containers for the Engine API.

use async_trait::async_trait;
use container_json as json;
use docker_api::ApiError;
use docker_api::engine::{
    Attach, ByteStream, ContainerRemoval, Containers, Session, Size, Stop, WaitFor, Waiting,
};
use engine::{AttachWanted, Condition, Removing, Sizes, Stopping};
use engine_json::Filters;

use super::Engine;
use super::refusal::told;
use super::session::Talk;

#[async_trait]
impl Containers for Engine {
    async fn containers(&self, with_size: bool) -> Result<Vec<json::Summary>, ApiError> {
        Ok(self.engine.list(sizes(with_size)).await)
    }

    async fn container(&self, name: &str, with_size: bool) -> Result<json::Inspect, ApiError> {
        self.engine.inspect(name, sizes(with_size)).await.map_err(told)
    }

    async fn create_container(
        &self,
        name: &str,
        _platform: &str,
        body: json::CreateBody,
    ) -> Result<json::Created, ApiError> {
        if let Some(image) = self.images.find(&body.config.image) {
            self.collector.note_use(image.id).await;
        }
        self.engine.create(Some(name), body).await.map_err(told)
    }

    async fn start_container(&self, name: &str) -> Result<(), ApiError> {
        self.engine.start(name).await.map_err(told)
    }

    async fn stop_container(&self, name: &str, stop: Stop) -> Result<(), ApiError> {
        self.engine.stop(name, stopping(stop)).await.map_err(told)
    }

    async fn restart_container(&self, name: &str, stop: Stop) -> Result<(), ApiError> {
        self.engine.restart(name, stopping(stop)).await.map_err(told)
    }

    async fn kill_container(&self, name: &str, signal: &str) -> Result<(), ApiError> {
        let signal = Some(signal).filter(|signal| !signal.is_empty());
        self.engine.kill(name, signal).await.map_err(told)
    }

    async fn pause_container(&self, name: &str) -> Result<(), ApiError> {
        self.engine.pause(name).await.map_err(told)
    }

    async fn unpause_container(&self, name: &str) -> Result<(), ApiError> {
        self.engine.unpause(name).await.map_err(told)
    }

    async fn wait_container(&self, name: &str, until: WaitFor) -> Result<Waiting, ApiError> {
        let condition = match until {
            WaitFor::NotRunning => Condition::NotRunning,
            WaitFor::NextExit => Condition::NextExit,
            WaitFor::Removed => Condition::Removed,
        };
        let code = self.engine.wait(name, condition).map_err(told)?;
        let answer = async move { json::WaitAnswer { status_code: i64::from(code.await), error: None } };
        Ok(Box::pin(answer))
    }

    async fn resize_container(&self, name: &str, size: Size) -> Result<(), ApiError> {
        self.engine.resize(name, size_of(size)).await.map_err(told)
    }

    async fn rename_container(&self, name: &str, to: &str) -> Result<(), ApiError> {
        self.engine.rename(name, to).await.map_err(told)
    }

    async fn update_container(
        &self,
        name: &str,
        update: json::UpdateBody,
    ) -> Result<json::UpdateAnswer, ApiError> {
        self.engine.update(name, update).await.map_err(told)
    }

    async fn remove_container(&self, name: &str, removal: ContainerRemoval) -> Result<(), ApiError> {
        let ContainerRemoval { force, volumes, link } = removal;
        self.engine.remove(name, Removing { force, volumes, link }).await.map_err(told)
    }

    async fn prune_containers(&self, filters: Filters) -> Result<json::ContainersPruned, ApiError> {
        self.engine.prune(filters).await.map_err(told)
    }

    async fn attach_container(&self, name: &str, attach: Attach) -> Result<Box<dyn Session>, ApiError> {
        let Attach { stream, stdin, stdout, stderr, logs, detach_keys } = attach;
        let wanted = AttachWanted { stream, logs, stdin, stdout, stderr, detach_keys };
        Ok(Box::new(Talk(self.engine.attach(name, &wanted).await.map_err(told)?)))
    }

    async fn container_stats(&self, name: &str) -> Result<json::Stats, ApiError> {
        self.engine.stats(name).await.map_err(told)
    }

    async fn container_top(&self, name: &str, ps_arguments: &str) -> Result<json::Top, ApiError> {
        self.engine.top(name, ps_arguments).await.map_err(told)
    }

    async fn container_changes(&self, name: &str) -> Result<Vec<json::Change>, ApiError> {
        self.engine.changes(name).await.map_err(told)
    }

    async fn export_container(&self, name: &str) -> Result<ByteStream, ApiError> {
        Ok(super::stream::sent(self.engine.export(name).await.map_err(told)?))
    }
}

/// Returns the size of a terminal as containers take it.
pub fn size_of(Size { rows, columns }: Size) -> container::Size {
    container::Size { rows, columns }
}

fn sizes(with_size: bool) -> Sizes {
    if with_size { Sizes::Measured } else { Sizes::Unknown }
}

fn stopping(Stop { signal, timeout }: Stop) -> Stopping {
    Stopping { signal: Some(signal).filter(|signal| !signal.is_empty()), timeout }
}
