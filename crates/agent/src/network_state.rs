//! The networks and published ports that should be in force on this node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use model::{NetworkId, NodeId, Protocol, ServiceId, Subnet, TaskId};
use wire::assignment::{Endpoint, Item, Items, Node, Port, Service};

/// The networks and published ports that should be in force on a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkState {
    /// The log index it was computed at.
    pub revision: u64,
    /// The networks that the node takes part in.
    pub overlays: Vec<Overlay>,
    /// The ports published on every node.
    pub ports: Vec<PublishedPort>,
}

/// A network that the node takes part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its VXLAN network identifier.
    pub vni: u32,
    /// Its addresses.
    pub subnet: Subnet,
    /// Whether it has no way out.
    pub internal: bool,
    /// The user's MTU, if there is one.
    pub mtu: Option<u32>,
    /// Whether it carries published ports; nothing has a name there.
    pub is_ingress: bool,
    /// The node's number, on the network that carries published ports.
    pub ingress_number: Option<u32>,
    /// Where its tasks on other nodes are.
    pub peers: Vec<Peer>,
    /// Numbers and addresses of the other nodes, on the network that carries published ports.
    pub ingress_peers: Vec<(u32, IpAddr)>,
    /// The services that have names on it.
    pub services: Vec<NamedService>,
    /// The tasks on it that serve and have names, on whatever node.
    pub members: Vec<Member>,
}

/// A service's names on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedService {
    /// The service.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// Its further names.
    pub aliases: Vec<String>,
    /// The address its names lead to; without one they lead to the addresses of its tasks.
    pub virtual_ip: Option<Ipv4Addr>,
}

/// A task that serves on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskId,
    /// Its service.
    pub service: ServiceId,
    /// Its address.
    pub address: Ipv4Addr,
    /// The name of its container.
    pub name: String,
    /// The host name that its service gives it; empty if none.
    pub hostname: String,
}

/// A task on another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// The task's address.
    pub address: Ipv4Addr,
    /// The address of its node.
    pub node: IpAddr,
}

/// A port published on every node, and who answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// The port outside.
    pub published: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The tasks that answer.
    pub backends: Vec<Backend>,
}

/// A task that answers a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// The task.
    pub task: TaskId,
    /// Its address.
    pub address: Ipv4Addr,
    /// The port inside it.
    pub port: u16,
}

impl NetworkState {
    /// Derives the state of node `own` from what it was told.
    pub fn of(own: NodeId, revision: u64, items: &Items) -> Self {
        let nodes: BTreeMap<NodeId, &Node> = items
            .values()
            .filter_map(|item| if let Item::Node(node) = item { Some((node.id, node)) } else { None })
            .collect();
        let mut endpoints: BTreeMap<NetworkId, Vec<&Endpoint>> = BTreeMap::new();
        for item in items.values() {
            if let Item::Endpoint(endpoint) = item {
                endpoints.entry(endpoint.network).or_default().push(endpoint);
            }
        }
        let on = |network: NetworkId| endpoints.get(&network).map(Vec::as_slice).unwrap_or_default();
        let mut named: BTreeMap<NetworkId, Vec<NamedService>> = BTreeMap::new();
        for item in items.values() {
            if let Item::Service(service) = item {
                named.entry(service.network).or_default().push(names(service));
            }
        }
        let overlays = items
            .values()
            .filter_map(|item| if let Item::Network(network) = item { Some(network) } else { None })
            .map(|network| Overlay {
                id: network.id,
                name: network.name.clone(),
                vni: network.vni,
                subnet: network.subnet,
                internal: network.internal,
                mtu: network.mtu,
                is_ingress: network.ingress,
                ingress_number: nodes.get(&own).and_then(|node| node.number).filter(|_| network.ingress),
                peers: peers(own, on(network.id), &nodes),
                ingress_peers: if network.ingress { ingress_peers(own, &nodes) } else { Vec::new() },
                services: named.remove(&network.id).unwrap_or_default(),
                members: if network.ingress { Vec::new() } else { members(on(network.id)) },
            })
            .collect();
        let ingress = items.values().find_map(|item| {
            if let Item::Network(network) = item { network.ingress.then_some(network.id) } else { None }
        });
        Self { revision, overlays, ports: ports(items, ingress.map(on).unwrap_or_default()) }
    }
}

fn peers(own: NodeId, endpoints: &[&Endpoint], nodes: &BTreeMap<NodeId, &Node>) -> Vec<Peer> {
    let elsewhere = endpoints.iter().filter(|endpoint| endpoint.node != own);
    elsewhere
        .filter_map(|endpoint| {
            let node = nodes.get(&endpoint.node)?.address?;
            Some(Peer { address: endpoint.address, node })
        })
        .collect()
}

fn ingress_peers(own: NodeId, nodes: &BTreeMap<NodeId, &Node>) -> Vec<(u32, IpAddr)> {
    nodes
        .values()
        .filter(|node| node.id != own)
        .filter_map(|node| Some((node.number?, node.address?)))
        .collect()
}

fn names(service: &Service) -> NamedService {
    let Service { network: _, service: id, name, aliases, virtual_ip } = service;
    NamedService { id: *id, name: name.clone(), aliases: aliases.clone(), virtual_ip: *virtual_ip }
}

fn members(endpoints: &[&Endpoint]) -> Vec<Member> {
    let serving = endpoints.iter().filter(|endpoint| endpoint.serving);
    serving
        .map(|endpoint| Member {
            task: endpoint.task,
            service: endpoint.service,
            address: endpoint.address,
            name: endpoint.name.clone(),
            hostname: endpoint.hostname.clone(),
        })
        .collect()
}

fn ports(items: &Items, endpoints: &[&Endpoint]) -> Vec<PublishedPort> {
    let mut serving: BTreeMap<ServiceId, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.serving) {
        serving.entry(endpoint.service).or_default().push(endpoint);
    }
    let backends = |port: &Port| {
        let endpoints = serving.get(&port.service).into_iter().flatten();
        endpoints
            .map(|endpoint| Backend { task: endpoint.task, address: endpoint.address, port: port.target })
            .collect()
    };
    items
        .values()
        .filter_map(|item| if let Item::Port(port) = item { Some(port) } else { None })
        .map(|port| PublishedPort {
            published: port.published,
            protocol: port.protocol,
            backends: backends(port),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::assignment::Network;

    const INGRESS: NetworkId = NetworkId::from_bits(1);
    const BACK: NetworkId = NetworkId::from_bits(3);
    const WEB: ServiceId = ServiceId::from_bits(2);
    const HERE: NodeId = NodeId::from_bits(10);
    const THERE: NodeId = NodeId::from_bits(11);

    fn node(id: NodeId, number: u32) -> Item {
        let address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number as u8)));
        Item::Node(Node { id, address, number: Some(number), manager_address: None })
    }

    fn endpoint(network: NetworkId, task: u128, node: NodeId, serving: bool) -> Item {
        let address = Ipv4Addr::new(10, 0, 0, task as u8);
        Item::Endpoint(Endpoint {
            network,
            task: TaskId::from_bits(task),
            service: WEB,
            address,
            node,
            serving,
            name: format!("web.{task}"),
            hostname: String::new(),
        })
    }

    fn network(id: NetworkId, vni: u32) -> Item {
        let subnet = "10.0.0.0/24".parse().unwrap();
        let (ingress, name) = (id == INGRESS, format!("net{vni}"));
        Item::Network(Network { id, vni, subnet, internal: false, ingress, name, mtu: Some(1300) })
    }

    fn state() -> NetworkState {
        let items = [
            network(INGRESS, 4096),
            network(BACK, 4097),
            node(HERE, 1),
            node(THERE, 2),
            endpoint(INGRESS, 5, HERE, true),
            endpoint(INGRESS, 6, THERE, true),
            endpoint(INGRESS, 7, THERE, false),
            endpoint(BACK, 15, HERE, true),
            endpoint(BACK, 16, THERE, true),
            endpoint(BACK, 17, HERE, false),
            Item::Service(Service {
                network: BACK,
                service: WEB,
                name: "web".into(),
                aliases: vec!["www".into()],
                virtual_ip: None,
            }),
            Item::Port(Port { published: 8080, protocol: Protocol::Tcp, target: 80, service: WEB }),
        ];
        NetworkState::of(HERE, 9, &items.into_iter().map(|item| (item.key(), item)).collect())
    }

    #[test]
    fn only_serving_tasks_answer_a_published_port() {
        let ports = state().ports;

        let answering: Vec<u8> =
            ports[0].backends.iter().map(|backend| backend.address.octets()[3]).collect();
        assert_eq!((ports.len(), ports[0].published, ports[0].backends[0].port), (1, 8080, 80));
        assert_eq!(answering, [5, 6]);
    }

    #[test]
    fn only_serving_tasks_have_names_and_none_where_published_ports_lead() {
        let [ingress, back] = &state().overlays[..] else { panic!("there are two networks") };

        let names: Vec<&str> = back.members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["web.15", "web.16"]);
        assert_eq!((back.name.as_str(), back.mtu), ("net4097", Some(1300)));
        assert_eq!((back.services.len(), back.services[0].name.as_str()), (1, "web"));
        assert!(ingress.members.is_empty() && ingress.services.is_empty());
    }

    #[test]
    fn peers_are_all_tasks_of_other_nodes() {
        let overlay = &state().overlays[0];

        let peers: Vec<u8> = overlay.peers.iter().map(|peer| peer.address.octets()[3]).collect();
        assert_eq!(peers, [6, 7]);
        assert_eq!(overlay.ingress_number, Some(1));
        assert_eq!(overlay.ingress_peers, [(2, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)))]);
    }
}
