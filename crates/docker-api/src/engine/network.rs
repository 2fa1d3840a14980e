//! Networks of this host alone.

use async_trait::async_trait;
use container_json::{NetworkConnect, NetworkDisconnect};
use engine_json as json;

use crate::error::ApiError;

/// Networks of this host alone; those of the cluster are not among them.
///
/// The API finds a network by what the client called it, tells who is on it from the list of containers, and keeps names
/// apart from the cluster's. Here networks are named by their whole ids.
#[async_trait]
pub trait Networks: Send + Sync + 'static {
    /// Lists the networks, with those that every host has: `bridge`, `host` and `none`.
    async fn networks(&self) -> Result<Vec<json::NetworkInspect>, ApiError>;

    /// Makes a network. The name is free, and none of those that every host has.
    async fn create_network(&self, body: json::NetworkCreate) -> Result<json::NetworkCreated, ApiError>;

    /// Removes a network that is none of those that every host has;
    /// [`Status::Forbidden`](crate::Status::Forbidden) if containers are on it.
    async fn remove_network(&self, id: &str) -> Result<(), ApiError>;

    /// Puts a container on a network.
    async fn connect_network(&self, id: &str, body: NetworkConnect) -> Result<(), ApiError>;

    /// Takes a container off a network.
    async fn disconnect_network(&self, id: &str, body: NetworkDisconnect) -> Result<(), ApiError>;

    /// Removes networks that no container is on, and returns their names: filters `until`, `label` and `label!`.
    async fn prune_networks(&self, filters: json::Filters) -> Result<Vec<String>, ApiError>;
}
