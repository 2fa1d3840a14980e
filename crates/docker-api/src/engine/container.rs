//! Containers on this host.

use async_trait::async_trait;
use container_json as container;
use engine_json as json;
use futures_util::future::BoxFuture;

use crate::engine::{ByteStream, Session};
use crate::error::ApiError;

/// Containers on this host, those of tasks among them.
#[async_trait]
pub trait Containers: Send + Sync + 'static {
    /// Lists the containers, ended ones included, those made last first. What they take on disk is measured
    /// only if it is asked for.
    async fn containers(&self, with_size: bool) -> Result<Vec<container::Summary>, ApiError>;

    /// Describes a container.
    async fn container(&self, name: &str, with_size: bool) -> Result<container::Inspect, ApiError>;

    /// Makes a container; an empty name means any.
    async fn create_container(
        &self,
        name: &str,
        platform: &str,
        body: container::CreateBody,
    ) -> Result<container::Created, ApiError>;

    /// Starts a container; [`Status::NotModified`](crate::Status::NotModified) if it runs.
    async fn start_container(&self, name: &str) -> Result<(), ApiError>;

    /// Stops a container; [`Status::NotModified`](crate::Status::NotModified) if it does not run.
    async fn stop_container(&self, name: &str, stop: Stop) -> Result<(), ApiError>;

    /// Stops a container, if it runs, and starts it.
    async fn restart_container(&self, name: &str, stop: Stop) -> Result<(), ApiError>;

    /// Sends a signal, by name or number, to a container's first process; empty means `KILL`.
    async fn kill_container(&self, name: &str, signal: &str) -> Result<(), ApiError>;

    /// Freezes a container.
    async fn pause_container(&self, name: &str) -> Result<(), ApiError>;

    /// Lets a frozen container go on.
    async fn unpause_container(&self, name: &str) -> Result<(), ApiError>;

    /// Begins to wait: what happens after this call is seen by what it returns.
    async fn wait_container(&self, name: &str, until: WaitFor) -> Result<Waiting, ApiError>;

    /// Tells a container's terminal its size.
    async fn resize_container(&self, name: &str, size: Size) -> Result<(), ApiError>;

    /// Gives a container another name.
    async fn rename_container(&self, name: &str, to: &str) -> Result<(), ApiError>;

    /// Changes what a container may use and when it is restarted.
    async fn update_container(
        &self,
        name: &str,
        update: container::UpdateBody,
    ) -> Result<container::UpdateAnswer, ApiError>;

    /// Removes a container.
    async fn remove_container(&self, name: &str, removal: ContainerRemoval) -> Result<(), ApiError>;

    /// Removes containers that do not run: filters `until`, `label` and `label!`.
    async fn prune_containers(&self, filters: json::Filters)
    -> Result<container::ContainersPruned, ApiError>;

    /// Talks to a container's program.
    async fn attach_container(&self, name: &str, attach: Attach) -> Result<Box<dyn Session>, ApiError>;

    /// Reads what a container uses, without what it used before; all 0 if it does not run.
    async fn container_stats(&self, name: &str) -> Result<container::Stats, ApiError>;

    /// Lists a container's processes as `ps` with these arguments does; none means `-ef`.
    async fn container_top(&self, name: &str, ps_arguments: &str) -> Result<container::Top, ApiError>;

    /// Tells what a container changed of its image.
    async fn container_changes(&self, name: &str) -> Result<Vec<container::Change>, ApiError>;

    /// Packs a container's whole root.
    async fn export_container(&self, name: &str) -> Result<ByteStream, ApiError>;
}

/// How a container is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stop {
    /// The signal that asks it to end, by name or number; empty means the container's own.
    pub signal: String,
    /// How many seconds it has; below 0 means without end, none means the container's own.
    pub timeout: Option<i64>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitFor {
    /// That it does not run; at once if it does not.
    #[default]
    NotRunning,
    /// That a run ends, now or later.
    NextExit,
    /// That it is removed.
    Removed,
}

/// What comes when the wait is over.
pub type Waiting = BoxFuture<'static, container::WaitAnswer>;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its height.
    pub rows: u16,
    /// Its width.
    pub columns: u16,
}

/// How a container is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerRemoval {
    /// Whether it is killed if it runs.
    pub force: bool,
    /// Whether its volumes without names go as well.
    pub volumes: bool,
    /// Whether not the container but a link to it is removed.
    pub link: bool,
}

/// What a client wants of a container it attaches to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub struct Attach {
    /// Whether it stays.
    pub stream: bool,
    /// Whether it writes to standard input.
    pub stdin: bool,
    /// Whether it reads standard output.
    pub stdout: bool,
    /// Whether it reads standard error.
    pub stderr: bool,
    /// Whether what was said before comes first.
    pub logs: bool,
    /// The keys that leave the container running; empty means the default.
    pub detach_keys: String,
}
