//! What a node must know: items with keys, sent as one complete set and then as differences.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::{NetworkId, NodeId, Protocol, ServiceId, Spec, SpecId, Subnet, Task, TaskId};

use crate::field::{choice, each, inside, nested, number, required};
use crate::{Error, pb};

/// Everything a node must know, by key.
pub type Items = BTreeMap<Key, Item>;

/// One thing a node must know.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A task of the node.
    Task(Arc<Task>),
    /// The spec of such a task.
    Spec(Arc<Spec>),
    /// A network that the node takes part in.
    Network(Network),
    /// A task's address on such a network, on whatever node it is.
    Endpoint(Endpoint),
    /// Another node, or this one.
    Node(Node),
    /// A port published on every node.
    Port(Port),
    /// A service's names on such a network.
    Service(Service),
}

/// The key of an [`Item`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Of a task.
    Task(TaskId),
    /// Of a spec.
    Spec(SpecId),
    /// Of a network.
    Network(NetworkId),
    /// Of an endpoint.
    Endpoint(NetworkId, TaskId),
    /// Of a node.
    Node(NodeId),
    /// Of a published port.
    Port(u16, Protocol),
    /// Of a service on a network.
    Service(NetworkId, ServiceId),
}

/// A network that a node takes part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its VXLAN network identifier.
    pub vni: u32,
    /// Its addresses.
    pub subnet: Subnet,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether it carries the published ports.
    pub ingress: bool,
    /// Its name.
    pub name: String,
    /// The user's MTU; without one it is what the way between the nodes allows.
    pub mtu: Option<u32>,
}

/// A task's address on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The network.
    pub network: NetworkId,
    /// The task.
    pub task: TaskId,
    /// The task's service.
    pub service: ServiceId,
    /// The address.
    pub address: Ipv4Addr,
    /// The node the task runs on.
    pub node: NodeId,
    /// Whether new requests may go there.
    pub serving: bool,
    /// The name of the task's container; empty on the network that carries published ports, where nothing has a name.
    pub name: String,
    /// The host name that its service gives it; empty if none.
    pub hostname: String,
}

/// A node of the cluster, as far as other nodes must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// The address at which its containers are reached.
    pub address: Option<IpAddr>,
    /// Its small number, from which its own address on the ingress network follows.
    pub number: Option<u32>,
    /// `host:port` of its manager, if it is one.
    pub manager_address: Option<String>,
}

/// A port published on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The port outside.
    pub published: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The port inside the tasks.
    pub target: u16,
    /// The service whose tasks answer.
    pub service: ServiceId,
}

/// A service on a network that has names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The network.
    pub network: NetworkId,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: String,
    /// Its further names on this network.
    pub aliases: Vec<String>,
    /// The address its names lead to; without one they lead to the addresses of its tasks.
    pub virtual_ip: Option<Ipv4Addr>,
}

/// Returns the name of a task's container: that of its service, its slot or else its node, and its id.
pub fn container_name(task: &Task, service_name: &str) -> String {
    let Task { id, slot, node, .. } = task;
    match (slot, node) {
        (0, Some(node)) => format!("{service_name}.{node}.{id}"),
        _ => format!("{service_name}.{slot}.{id}"),
    }
}

impl Item {
    /// Returns the item's key.
    pub fn key(&self) -> Key {
        match self {
            Self::Task(task) => Key::Task(task.id),
            Self::Spec(spec) => Key::Spec(spec.id),
            Self::Network(network) => Key::Network(network.id),
            Self::Endpoint(endpoint) => Key::Endpoint(endpoint.network, endpoint.task),
            Self::Node(node) => Key::Node(node.id),
            Self::Port(port) => Key::Port(port.published, port.protocol),
            Self::Service(service) => Key::Service(service.network, service.service),
        }
    }
}

/// A complete set, or a difference to what was sent before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// 0 for the complete set of a session; each difference counts one up.
    pub sequence: u64,
    /// The log index it was computed at.
    pub revision: u64,
    /// What is added or replaced.
    pub put: Vec<Item>,
    /// What is no more.
    pub removed: Vec<Key>,
}

impl Assignment {
    /// Makes the complete set of a session.
    pub fn complete(revision: u64, items: &Items) -> Self {
        Self { sequence: 0, revision, put: items.values().cloned().collect(), removed: Vec::new() }
    }

    /// Makes the difference that turns `before` into `after`; none if they are equal.
    pub fn difference(sequence: u64, revision: u64, before: &Items, after: &Items) -> Option<Self> {
        let put: Vec<Item> = after
            .iter()
            .filter(|(key, item)| before.get(key) != Some(item))
            .map(|(_, item)| item.clone())
            .collect();
        let removed: Vec<Key> = before.keys().filter(|key| !after.contains_key(key)).copied().collect();
        (!put.is_empty() || !removed.is_empty()).then_some(Self { sequence, revision, put, removed })
    }

    /// Puts it into force on what a node knows.
    pub fn apply(self, items: &mut Items) {
        if self.sequence == 0 {
            items.clear();
        }
        for key in &self.removed {
            items.remove(key);
        }
        items.extend(self.put.into_iter().map(|item| (item.key(), item)));
    }
}

impl From<&Assignment> for pb::Assignment {
    fn from(assignment: &Assignment) -> Self {
        let Assignment { sequence, revision, put, removed } = assignment;
        Self {
            sequence: *sequence,
            revision: *revision,
            put: put.iter().map(pb::Item::from).collect(),
            removed: removed.iter().map(|key| pb::ItemKey::from(*key)).collect(),
        }
    }
}

impl TryFrom<pb::Assignment> for Assignment {
    type Error = Error;

    fn try_from(assignment: pb::Assignment) -> Result<Self, Error> {
        let pb::Assignment { sequence, revision, put, removed } = assignment;
        Ok(Self { sequence, revision, put: each(put, "put")?, removed: each(removed, "removed")? })
    }
}

impl From<Key> for pb::ItemKey {
    fn from(key: Key) -> Self {
        use pb::item_key::Kind;
        let kind = match key {
            Key::Task(id) => Kind::Task(id.into()),
            Key::Spec(id) => Kind::Spec(id.into()),
            Key::Network(id) => Kind::Network(id.into()),
            Key::Endpoint(network, task) => {
                Kind::Endpoint(pb::EndpointKey { network: Some(network.into()), task: Some(task.into()) })
            }
            Key::Node(id) => Kind::Node(id.into()),
            Key::Port(published, protocol) => Kind::Port(pb::PortKey {
                published: published.into(),
                protocol: pb::Protocol::from(protocol).into(),
            }),
            Key::Service(network, service) => {
                Kind::Service(pb::ServiceKey { network: Some(network.into()), service: Some(service.into()) })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::ItemKey> for Key {
    type Error = Error;

    fn try_from(key: pb::ItemKey) -> Result<Self, Error> {
        use pb::item_key::Kind;
        let pb::ItemKey { kind } = key;
        Ok(match required(kind, "kind")? {
            Kind::Task(id) => Self::Task(id.into()),
            Kind::Spec(id) => Self::Spec(inside(id, "spec")?),
            Kind::Network(id) => Self::Network(id.into()),
            Kind::Endpoint(pb::EndpointKey { network, task }) => {
                Self::Endpoint(nested(network, "endpoint.network")?, nested(task, "endpoint.task")?)
            }
            Kind::Node(id) => Self::Node(id.into()),
            Kind::Port(pb::PortKey { published, protocol }) => {
                Self::Port(number(published, "port.published")?, choice(protocol, "port.protocol")?)
            }
            Kind::Service(pb::ServiceKey { network, service }) => {
                Self::Service(nested(network, "service.network")?, nested(service, "service.service")?)
            }
        })
    }
}

impl From<&Item> for pb::Item {
    fn from(item: &Item) -> Self {
        use pb::item::Kind;
        let kind = match item {
            Item::Task(task) => Kind::Task((&**task).into()),
            Item::Spec(spec) => Kind::Spec((&**spec).into()),
            Item::Network(network) => Kind::Network(network.into()),
            Item::Endpoint(endpoint) => Kind::Endpoint(endpoint.into()),
            Item::Node(node) => Kind::Node(node.into()),
            Item::Port(port) => Kind::Port(port.into()),
            Item::Service(service) => Kind::Service(service.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Item> for Item {
    type Error = Error;

    fn try_from(item: pb::Item) -> Result<Self, Error> {
        use pb::item::Kind;
        let pb::Item { kind } = item;
        Ok(match required(kind, "kind")? {
            Kind::Task(task) => Self::Task(Arc::new(inside(task, "task")?)),
            Kind::Spec(spec) => Self::Spec(Arc::new(inside(spec, "spec")?)),
            Kind::Network(network) => Self::Network(inside(network, "network")?),
            Kind::Endpoint(endpoint) => Self::Endpoint(inside(endpoint, "endpoint")?),
            Kind::Node(node) => Self::Node(inside(node, "node")?),
            Kind::Port(port) => Self::Port(inside(port, "port")?),
            Kind::Service(service) => Self::Service(inside(service, "service")?),
        })
    }
}

impl From<&Network> for pb::AssignedNetwork {
    fn from(network: &Network) -> Self {
        let Network { id, vni, subnet, internal, ingress, name, mtu } = network;
        Self {
            id: Some((*id).into()),
            vni: *vni,
            subnet: Some(subnet.into()),
            internal: *internal,
            ingress: *ingress,
            name: name.clone(),
            mtu: *mtu,
        }
    }
}

impl TryFrom<pb::AssignedNetwork> for Network {
    type Error = Error;

    fn try_from(network: pb::AssignedNetwork) -> Result<Self, Error> {
        let pb::AssignedNetwork { id, vni, subnet, internal, ingress, name, mtu } = network;
        Ok(Self {
            id: nested(id, "id")?,
            vni,
            subnet: nested(subnet, "subnet")?,
            internal,
            ingress,
            name,
            mtu,
        })
    }
}

impl From<&Endpoint> for pb::AssignedEndpoint {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint { network, task, service, address, node, serving, name, hostname } = endpoint;
        Self {
            network: Some((*network).into()),
            task: Some((*task).into()),
            service: Some((*service).into()),
            address: address.to_bits(),
            node: Some((*node).into()),
            serving: *serving,
            name: name.clone(),
            hostname: hostname.clone(),
        }
    }
}

impl TryFrom<pb::AssignedEndpoint> for Endpoint {
    type Error = Error;

    fn try_from(endpoint: pb::AssignedEndpoint) -> Result<Self, Error> {
        let pb::AssignedEndpoint { network, task, service, address, node, serving, name, hostname } =
            endpoint;
        Ok(Self {
            network: nested(network, "network")?,
            task: nested(task, "task")?,
            service: nested(service, "service")?,
            address: Ipv4Addr::from_bits(address),
            node: nested(node, "node")?,
            serving,
            name,
            hostname,
        })
    }
}

impl From<&Node> for pb::AssignedNode {
    fn from(node: &Node) -> Self {
        let Node { id, address, number, manager_address } = node;
        Self {
            id: Some((*id).into()),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            number: *number,
            manager_address: manager_address.clone(),
        }
    }
}

impl TryFrom<pb::AssignedNode> for Node {
    type Error = Error;

    fn try_from(node: pb::AssignedNode) -> Result<Self, Error> {
        let pb::AssignedNode { id, address, number, manager_address } = node;
        let address = match address.as_str() {
            "" => None,
            text => Some(
                text.parse::<IpAddr>()
                    .map_err(|_| Error::field("address", format!("{text:?} is no address")))?,
            ),
        };
        Ok(Self { id: nested(id, "id")?, address, number, manager_address })
    }
}

impl From<&Port> for pb::AssignedPort {
    fn from(port: &Port) -> Self {
        let Port { published, protocol, target, service } = port;
        Self {
            published: (*published).into(),
            protocol: pb::Protocol::from(*protocol).into(),
            target: (*target).into(),
            service: Some((*service).into()),
        }
    }
}

impl TryFrom<pb::AssignedPort> for Port {
    type Error = Error;

    fn try_from(port: pb::AssignedPort) -> Result<Self, Error> {
        let pb::AssignedPort { published, protocol, target, service } = port;
        Ok(Self {
            published: number(published, "published")?,
            protocol: choice(protocol, "protocol")?,
            target: number(target, "target")?,
            service: nested(service, "service")?,
        })
    }
}

impl From<&Service> for pb::AssignedService {
    fn from(service: &Service) -> Self {
        let Service { network, service, name, aliases, virtual_ip } = service;
        Self {
            network: Some((*network).into()),
            service: Some((*service).into()),
            name: name.clone(),
            aliases: aliases.clone(),
            virtual_ip: virtual_ip.map(Ipv4Addr::to_bits),
        }
    }
}

impl TryFrom<pb::AssignedService> for Service {
    type Error = Error;

    fn try_from(service: pb::AssignedService) -> Result<Self, Error> {
        let pb::AssignedService { network, service, name, aliases, virtual_ip } = service;
        Ok(Self {
            network: nested(network, "network")?,
            service: nested(service, "service")?,
            name,
            aliases,
            virtual_ip: virtual_ip.map(Ipv4Addr::from_bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn items(parts: &[(u16, u16)]) -> Items {
        let port = |(published, target): &(u16, u16)| {
            let service = ServiceId::from_bits(7);
            Item::Port(Port { published: *published, protocol: Protocol::Udp, target: *target, service })
        };
        parts.iter().map(port).map(|item| (item.key(), item)).collect()
    }

    #[test]
    fn a_difference_turns_one_set_into_the_other() {
        let before = items(&[(1, 80), (2, 80), (3, 80)]);
        let after = items(&[(1, 80), (2, 81), (4, 80)]);

        let difference = Assignment::difference(1, 9, &before, &after).unwrap();
        let (put, removed) = (difference.put.len(), difference.removed.len());
        let mut items = before.clone();
        difference.apply(&mut items);

        assert_eq!((put, removed), (2, 1));
        assert_eq!(items, after);
        assert_eq!(Assignment::difference(2, 9, &after, &after), None);
    }

    #[test]
    fn a_complete_set_replaces_what_was_known() {
        let mut known = items(&[(1, 80)]);

        Assignment::complete(5, &items(&[(2, 80)])).apply(&mut known);

        assert_eq!(known, items(&[(2, 80)]));
    }

    #[test]
    fn every_kind_of_item_survives_the_wire() {
        let (network, task, node) = (NetworkId::from_bits(1), TaskId::from_bits(2), NodeId::from_bits(3));
        let service = ServiceId::from_bits(4);
        let address = Ipv4Addr::new(10, 0, 0, 9);
        let assignment = Assignment {
            sequence: 3,
            revision: 17,
            put: vec![
                Item::Network(Network {
                    id: network,
                    vni: 4097,
                    subnet: "10.0.0.0/24".parse().unwrap(),
                    internal: true,
                    ingress: false,
                    name: "back".into(),
                    mtu: Some(1350),
                }),
                Item::Endpoint(Endpoint {
                    network,
                    task,
                    service,
                    address,
                    node,
                    serving: true,
                    name: "web.1.x".into(),
                    hostname: "web-one".into(),
                }),
                Item::Node(Node { id: node, address: None, number: Some(0), manager_address: None }),
                Item::Port(Port { published: 8080, protocol: Protocol::Tcp, target: 80, service }),
                Item::Service(Service {
                    network,
                    service,
                    name: "web".into(),
                    aliases: vec!["www".into()],
                    virtual_ip: Some(Ipv4Addr::new(10, 0, 0, 2)),
                }),
            ],
            removed: vec![
                Key::Task(task),
                Key::Spec(SpecId { service, version: model::SpecVersion(2) }),
                Key::Endpoint(network, task),
                Key::Port(53, Protocol::Udp),
                Key::Service(network, service),
            ],
        };

        let back = Assignment::try_from(pb::Assignment::from(&assignment)).unwrap();

        assert_eq!(back, assignment);
    }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_assignment_comes_back_as_it_was(
            sequence in any::<u64>(), revision in any::<u64>(), put in vec(samples::item(), 0..6),
        ) {
            let removed = put.iter().map(Item::key).collect();
            let assignment = Assignment { sequence, revision, put, removed };

            let back = Assignment::try_from(pb::Assignment::from(&assignment)).unwrap();

            prop_assert_eq!(back, assignment);
        }

        #[test]
        fn random_sets_follow_their_difference(
            first in vec(samples::item(), 0..8), second in vec(samples::item(), 0..8), kept in 0..8usize,
        ) {
            let set = |items: &[Item]| items.iter().map(|item| (item.key(), item.clone())).collect::<Items>();
            let before = set(&first);
            let after = set(&[&first[..kept.min(first.len())], &second].concat());

            let mut known = before.clone();
            if let Some(difference) = Assignment::difference(1, 1, &before, &after) {
                difference.apply(&mut known);
            }

            prop_assert_eq!(known, after);
        }
    }
}
