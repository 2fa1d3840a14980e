//! Networks that are only said to be there.

use async_trait::async_trait;
use container_json::{NetworkConnect, NetworkDisconnect};
use docker_api::engine::Networks;
use docker_api::{ApiError, Status};
use engine_json::{Filters, NetworkCreate, NetworkCreated, NetworkInspect};

use super::FakeEngine;

/// Returns a network of a host, whose id begins with its name.
pub fn network(name: &str, driver: &str) -> NetworkInspect {
    NetworkInspect {
        name: name.into(),
        id: format!("{name:0<64}"),
        scope: "local".into(),
        driver: driver.into(),
        enable_ipv4: true,
        ..NetworkInspect::default()
    }
}

#[async_trait]
impl Networks for FakeEngine {
    async fn networks(&self) -> Result<Vec<NetworkInspect>, ApiError> {
        let own = [("bridge", "bridge"), ("host", "host"), ("none", "null")];
        let own = own.map(|(name, driver)| network(name, driver));
        let made = self.inner.lock().unwrap().networks.clone();
        Ok(own.into_iter().chain(made).collect())
    }

    async fn create_network(&self, body: NetworkCreate) -> Result<NetworkCreated, ApiError> {
        let driver = if body.driver.is_empty() { "bridge" } else { &body.driver };
        if driver == "host" {
            let text = "only one instance of \"host\" network is allowed";
            return Err(ApiError::new(Status::Forbidden, text));
        }
        let made = network(&body.name, driver);
        let created = NetworkCreated { id: made.id.clone(), warning: String::new() };
        self.inner.lock().unwrap().networks.push(made);
        Ok(created)
    }

    async fn remove_network(&self, id: &str) -> Result<(), ApiError> {
        self.note(format!("remove network {}", id.trim_end_matches('0')));
        self.inner.lock().unwrap().networks.retain(|network| network.id != id);
        Ok(())
    }

    async fn connect_network(&self, id: &str, body: NetworkConnect) -> Result<(), ApiError> {
        let aliases = body.endpoint_config.map(|endpoint| endpoint.aliases).unwrap_or_default();
        self.note(format!("connect {} to {} as {aliases:?}", body.container, id.trim_end_matches('0')));
        Ok(())
    }

    async fn disconnect_network(&self, id: &str, body: NetworkDisconnect) -> Result<(), ApiError> {
        self.note(format!("disconnect {} from {} {}", body.container, id.trim_end_matches('0'), body.force));
        Ok(())
    }

    async fn prune_networks(&self, filters: Filters) -> Result<Vec<String>, ApiError> {
        self.note(format!("prune networks {}", filters.to_json()));
        let gone = std::mem::take(&mut self.inner.lock().unwrap().networks);
        Ok(gone.into_iter().map(|network| network.name).collect())
    }
}
