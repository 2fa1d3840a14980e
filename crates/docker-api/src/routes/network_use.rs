//! Who is on a network.

use std::collections::{BTreeMap, BTreeSet};

use container_json::Summary;
use engine_json as json;
use model::{EndpointSpec, Network, NodeId, PortSpec, Service, Task};
use store::View;

/// Returns the containers of this host that are on a network, by id.
pub(super) fn containers(all: &[Summary], network: &str) -> BTreeMap<String, json::NetworkContainer> {
    let on = all.iter().filter_map(|container| {
        let mut places = container.network_settings.networks.values();
        let place = places.find(|place| place.network_id == network && is_there(container))?;
        let name = container.names.first().map(|name| name.trim_start_matches('/')).unwrap_or_default();
        let address = match place.ip_address.as_str() {
            "" => String::new(),
            address => format!("{address}/{}", place.ip_prefix_len),
        };
        let shown = json::NetworkContainer {
            name: name.to_owned(),
            endpoint_id: place.endpoint_id.clone(),
            mac_address: place.mac_address.clone(),
            ipv4_address: address,
            ipv6_address: String::new(),
        };
        Some((container.id.clone(), shown))
    });
    on.collect()
}

fn is_there(container: &Summary) -> bool {
    matches!(container.state.as_str(), "running" | "paused" | "restarting")
}

/// Returns the services that are on a network of the cluster, with their tasks there, by name.
pub(super) fn services(view: &View, network: &Network) -> BTreeMap<String, json::NetworkService> {
    let on = view.services().filter_map(|service| {
        let held = service.endpoint.virtual_ips.iter().find(|held| held.network == network.id);
        let tasks: Vec<json::NetworkTask> = view
            .tasks_of_service(service.id)
            .filter_map(|task| shown_task(view, service, task, network))
            .collect();
        if held.is_none() && tasks.is_empty() {
            return None;
        }
        let ports = if network.spec.ingress { ports_of(service) } else { Vec::new() };
        let vip = held.map(|held| held.address.to_string()).unwrap_or_default();
        Some((service.spec.name.clone(), json::NetworkService { vip, ports, local_lb_index: 0, tasks }))
    });
    on.collect()
}

/// Returns the nodes that take part in a network of the cluster.
pub(super) fn peers(view: &View, network: &Network) -> Vec<json::NetworkPeer> {
    let on: BTreeSet<NodeId> = match network.spec.ingress {
        true => view.nodes().map(|node| node.id).collect(),
        false => {
            let tasks = view.tasks().filter(|task| task.is_live() && address_on(task, network).is_some());
            tasks.filter_map(|task| task.node).collect()
        }
    };
    let nodes = on.into_iter().filter_map(|node| view.node(node));
    let peers = nodes.map(|node| json::NetworkPeer {
        name: node.description.as_ref().map(|described| described.hostname.clone()).unwrap_or_default(),
        ip: node.status.address.map(|address| address.to_string()).unwrap_or_default(),
    });
    peers.collect()
}

fn address_on(task: &Task, network: &Network) -> Option<std::net::Ipv4Addr> {
    task.addresses.iter().find(|held| held.network == network.id).map(|held| held.address)
}

fn shown_task(view: &View, service: &Service, task: &Task, network: &Network) -> Option<json::NetworkTask> {
    let address = address_on(task, network).filter(|_| task.is_live())?;
    let node = view.node(task.node?)?;
    let host = node.status.address.map(|address| address.to_string()).unwrap_or_default();
    Some(json::NetworkTask {
        name: format!("{}.{}.{}", service.spec.name, task.slot, task.id),
        endpoint_id: format!("{:032x}{:032x}", task.id.bits(), network.id.bits()),
        endpoint_ip: address.to_string(),
        info: [("Host IP".to_owned(), host)].into(),
    })
}

fn ports_of(service: &Service) -> Vec<String> {
    let allocated = EndpointSpec { ports: service.endpoint.ports.clone(), ..EndpointSpec::default() };
    let shown = |port: &PortSpec| format!("Target: {}, Publish: {}", port.target, port.published);
    allocated.ingress_ports().map(shown).collect()
}
