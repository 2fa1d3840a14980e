//! Commands beside the programs of containers, for the Engine API.

use async_trait::async_trait;
use container_json::{ExecBody, ExecCreated, ExecInspect, ExecStart};
use docker_api::ApiError;
use docker_api::engine::{Execs, Session, Size};

use super::Engine;
use super::container::size_of;
use super::refusal::told;
use super::session::Talk;

#[async_trait]
impl Execs for Engine {
    async fn create_exec(&self, container: &str, body: ExecBody) -> Result<ExecCreated, ApiError> {
        self.engine.exec_create(container, body).map_err(told)
    }

    async fn start_exec(&self, id: &str, start: ExecStart) -> Result<Box<dyn Session>, ApiError> {
        let session = self.engine.exec_start(id, ExecStart { detach: false, ..start }).await.map_err(told)?;
        let session =
            session.ok_or_else(|| ApiError::internal("the command was started with nobody to talk to"))?;
        Ok(Box::new(Talk(session)))
    }

    async fn start_exec_detached(&self, id: &str, start: ExecStart) -> Result<(), ApiError> {
        self.engine.exec_start(id, ExecStart { detach: true, ..start }).await.map(drop).map_err(told)
    }

    async fn resize_exec(&self, id: &str, size: Size) -> Result<(), ApiError> {
        self.engine.exec_resize(id, size_of(size)).await.map_err(told)
    }

    async fn exec(&self, id: &str) -> Result<ExecInspect, ApiError> {
        self.engine.exec_inspect(id).await.map_err(told)
    }
}
