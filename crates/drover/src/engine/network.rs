//! Networks of this host alone, for the Engine API.

use async_trait::async_trait;
use container_json::{NetworkConnect, NetworkDisconnect};
use docker_api::engine::Networks;
use docker_api::{ApiError, Status};
use engine::{NETWORK_IDS, Sizes};
use engine_json as json;
use network::{Bridge, Ipv4Net};

use super::Engine;
use super::refusal::told;

#[async_trait]
impl Networks for Engine {
    async fn networks(&self) -> Result<Vec<json::NetworkInspect>, ApiError> {
        let bridge = self.engine.network().subnet_of(Bridge::Open);
        Ok(NETWORK_IDS.iter().map(|(name, id)| shown(name, id, bridge)).collect())
    }

    async fn create_network(&self, body: json::NetworkCreate) -> Result<json::NetworkCreated, ApiError> {
        match body.driver.as_str() {
            only @ ("host" | "null") => {
                let text = format!("only one instance of \"{only}\" network is allowed");
                Err(ApiError::new(Status::Forbidden, text))
            }
            "" | "bridge" | "macvlan" => Err(ApiError::not_supported(
                "networks of one host are not supported: use bridge, host or none, or make one with --driver overlay",
            )),
            other => Err(ApiError::not_found(format!(
                "could not find plugin {other} in v1 plugin registry: plugin not found"
            ))),
        }
    }

    async fn remove_network(&self, id: &str) -> Result<(), ApiError> {
        Err(ApiError::not_found(format!("network {id} not found")))
    }

    async fn connect_network(&self, id: &str, body: NetworkConnect) -> Result<(), ApiError> {
        let container = self.engine.inspect(&body.container, Sizes::Unknown).await.map_err(told)?;
        let mut places = container.network_settings.networks.iter();
        if let Some((network, _)) = places.find(|(_, place)| place.network_id == id) {
            let name = container.name.trim_start_matches('/');
            let text = format!("endpoint with name {name} already exists in network {network}");
            return Err(ApiError::new(Status::Forbidden, text));
        }
        Err(ApiError::not_supported("a container stays on the network that it was made for"))
    }

    async fn disconnect_network(&self, id: &str, body: NetworkDisconnect) -> Result<(), ApiError> {
        let container = self.engine.inspect(&body.container, Sizes::Unknown).await.map_err(told)?;
        if container.network_settings.networks.values().any(|place| place.network_id == id) {
            return Err(ApiError::not_supported("a container stays on the network that it was made for"));
        }
        let text = format!("container {} is not connected to network {}", container.id, name_of(id));
        Err(ApiError::new(Status::Forbidden, text))
    }

    async fn prune_networks(&self, _filters: json::Filters) -> Result<Vec<String>, ApiError> {
        Ok(Vec::new())
    }
}

fn name_of(id: &str) -> &str {
    NETWORK_IDS.iter().find(|(_, known)| *known == id).map_or(id, |(name, _)| name)
}

/// Shows one of the networks that every host has.
fn shown(name: &str, id: &str, bridge: Ipv4Net) -> json::NetworkInspect {
    let mut network = json::NetworkInspect {
        name: name.to_owned(),
        id: id.to_owned(),
        scope: "local".into(),
        driver: if name == "none" { "null" } else { name }.to_owned(),
        enable_ipv4: true,
        ipam: json::NetworkIpam { driver: "default".into(), ..json::NetworkIpam::default() },
        ..json::NetworkInspect::default()
    };
    if name == "bridge" {
        let subnet = bridge.network();
        let gateway = std::net::Ipv4Addr::from_bits(subnet.address().to_bits() + 1);
        network.ipam.config.push(json::NetworkIpamConfig {
            subnet: subnet.to_string(),
            gateway: gateway.to_string(),
            ..json::NetworkIpamConfig::default()
        });
        network.options = [
            ("com.docker.network.bridge.default_bridge", "true"),
            ("com.docker.network.bridge.name", Bridge::Open.name()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_three_networks_of_which_the_bridge_has_a_subnet() {
        let bridge = "172.29.0.0/16".parse().unwrap();

        let all: Vec<json::NetworkInspect> =
            NETWORK_IDS.iter().map(|(name, id)| shown(name, id, bridge)).collect();

        let told: Vec<_> = all
            .iter()
            .map(|network| (network.name.as_str(), network.driver.as_str(), network.ipam.config.len()))
            .collect();
        assert_eq!(told, [("bridge", "bridge", 1), ("host", "host", 0), ("none", "null", 0)]);
        let pool = &all[0].ipam.config[0];
        assert_eq!((pool.subnet.as_str(), pool.gateway.as_str()), ("172.29.0.0/16", "172.29.0.1"));
    }
}
