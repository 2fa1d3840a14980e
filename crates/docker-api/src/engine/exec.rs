//! Commands that run in containers beside their programs.

use async_trait::async_trait;
use container_json::{ExecBody, ExecCreated, ExecInspect, ExecStart};

use crate::engine::{Session, Size};
use crate::error::ApiError;

/// Commands that run in containers beside their programs.
#[async_trait]
pub trait Execs: Send + Sync + 'static {
    /// Prepares a command.
    async fn create_exec(&self, container: &str, body: ExecBody) -> Result<ExecCreated, ApiError>;

    /// Starts a prepared command and talks to it.
    async fn start_exec(&self, id: &str, start: ExecStart) -> Result<Box<dyn Session>, ApiError>;

    /// Starts a prepared command that nobody talks to.
    async fn start_exec_detached(&self, id: &str, start: ExecStart) -> Result<(), ApiError>;

    /// Tells a command's terminal its size.
    async fn resize_exec(&self, id: &str, size: Size) -> Result<(), ApiError>;

    /// Describes a command.
    async fn exec(&self, id: &str) -> Result<ExecInspect, ApiError>;
}
