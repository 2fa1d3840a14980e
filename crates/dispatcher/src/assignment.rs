//! What a node must know, from a view: the complete set, and the difference between two views.

use std::collections::{BTreeMap, BTreeSet};

use model::{NetworkId, NodeId, NodeState, Protocol, PublishMode, SpecId, Task, TaskId, TaskState};
use store::{Difference, Object, View};
use wire::assignment::{Assignment, Endpoint, Item, Items, Key, Network, Node, Port};

/// Where managers are reached, by node.
pub type Managers = BTreeMap<NodeId, String>;

/// A view and what managers know beside it.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The view.
    pub view: &'a View,
    /// Where managers are reached.
    pub managers: &'a Managers,
}

/// Returns everything that `node` must know.
pub fn complete(sight: Sight<'_>, node: NodeId) -> Items {
    let mut keys = BTreeSet::new();
    for task in sight.view.tasks_on_node(node) {
        keys.insert(Key::Task(task.id));
        keys.insert(Key::Spec(task.spec_id()));
    }
    for network in networks_of(sight.view, node) {
        keys.insert(Key::Network(network));
    }
    for task in sight.view.tasks() {
        keys.extend(endpoint_keys(task));
    }
    keys.extend(sight.view.nodes().map(|node| Key::Node(node.id)));
    for service in sight.view.services() {
        keys.extend(port_keys(service));
    }
    keys.into_iter().filter_map(|key| item(sight, node, key)).map(|item| (item.key(), item)).collect()
}

/// Returns what changed for `node` between two views; none if nothing did.
pub fn difference(before: Sight<'_>, after: Sight<'_>, node: NodeId, sequence: u64) -> Option<Assignment> {
    let (joined_before, joined_after) = (networks_of(before.view, node), networks_of(after.view, node));
    let mut keys = BTreeSet::new();
    for difference in store::differences(before.view, after.view) {
        touch(&difference, before.view, after.view, &mut keys);
    }
    for network in joined_before.symmetric_difference(&joined_after) {
        keys.insert(Key::Network(*network));
        for view in [before.view, after.view] {
            keys.extend(view.tasks().flat_map(|task| endpoint_keys(task)).filter(|key| is_on(key, *network)));
        }
    }
    if before.managers != after.managers {
        keys.extend(before.managers.keys().chain(after.managers.keys()).map(|node| Key::Node(*node)));
    }
    let mut assignment = Assignment { sequence, revision: after.view.index(), ..Assignment::default() };
    for key in keys {
        match (item(before, node, key), item(after, node, key)) {
            (Some(_), None) => assignment.removed.push(key),
            (former, Some(item)) if !former.as_ref().is_some_and(|former| same(former, &item)) => {
                assignment.put.push(item);
            }
            (_, _) => {}
        }
    }
    (!assignment.put.is_empty() || !assignment.removed.is_empty()).then_some(assignment)
}

/// Collects the keys whose items may differ because of one difference.
fn touch(difference: &Difference, before: &View, after: &View, keys: &mut BTreeSet<Key>) {
    let (former, latter) = match difference {
        Difference::Added(object) => (None, Some(object)),
        Difference::Changed { before, after } => (Some(before), Some(after)),
        Difference::Removed(object) => (Some(object), None),
    };
    for object in [former, latter].into_iter().flatten() {
        match object {
            Object::Task(task) => {
                keys.insert(Key::Task(task.id));
                keys.insert(Key::Spec(task.spec_id()));
                keys.extend(endpoint_keys(task));
            }
            Object::Spec(spec) => {
                keys.insert(Key::Spec(spec.id));
            }
            Object::Node(node) => {
                keys.insert(Key::Node(node.id));
                for view in [before, after] {
                    keys.extend(view.tasks_on_node(node.id).flat_map(|task| endpoint_keys(task)));
                }
            }
            Object::Service(service) => keys.extend(port_keys(service)),
            Object::Network(network) => {
                keys.insert(Key::Network(network.id));
            }
            Object::Cluster(_) => {}
        }
    }
}

/// Claims that two items are the same to a node. A task's status is the node's own report, so that
/// a change of it alone is no news.
fn same(former: &Item, latter: &Item) -> bool {
    match (former, latter) {
        (Item::Task(former), Item::Task(latter)) => {
            let Task { id, meta: _, service, spec_version, slot, desired, node, addresses, status: _ } =
                &**latter;
            former.id == *id
                && former.service == *service
                && former.spec_version == *spec_version
                && former.slot == *slot
                && former.desired == *desired
                && former.node == *node
                && former.addresses == *addresses
        }
        (former, latter) => former == latter,
    }
}

/// Returns what `node` must know under `key`.
fn item(sight: Sight<'_>, node: NodeId, key: Key) -> Option<Item> {
    let view = sight.view;
    match key {
        Key::Task(id) => view.task(id).filter(|task| is_assigned(task, node)).cloned().map(Item::Task),
        Key::Spec(id) => {
            spec_is_used(view, node, id).then(|| view.spec(id).cloned().map(Item::Spec)).flatten()
        }
        Key::Network(id) => network_item(view, node, id),
        Key::Endpoint(network, task) => endpoint_item(view, node, network, task),
        Key::Node(id) => view.node(id).map(|node| {
            let address = node.status.address;
            let manager_address = sight.managers.get(&id).cloned();
            Item::Node(Node { id, address, number: node.number, manager_address })
        }),
        Key::Port(published, protocol) => port_item(view, published, protocol),
    }
}

fn is_assigned(task: &Task, node: NodeId) -> bool {
    task.node == Some(node) && task.status.state >= TaskState::Assigned
}

fn spec_is_used(view: &View, node: NodeId, id: SpecId) -> bool {
    view.tasks_on_node(node).any(|task| is_assigned(task, node) && task.spec_id() == id)
}

/// Returns the networks a node takes part in: the one that carries published ports, and those its tasks are on.
fn networks_of(view: &View, node: NodeId) -> BTreeSet<NetworkId> {
    let own =
        view.tasks_on_node(node).filter(|task| is_assigned(task, node) && !task.status.state.is_terminal());
    let mut networks: BTreeSet<NetworkId> =
        own.flat_map(|task| task.addresses.iter().map(|address| address.network)).collect();
    networks.extend(view.ingress_network().map(|network| network.id));
    networks
}

fn network_item(view: &View, node: NodeId, id: NetworkId) -> Option<Item> {
    let network = view.network(id)?;
    if !network.spec.ingress && !networks_of(view, node).contains(&id) {
        return None;
    }
    let (subnet, vni) = (network.subnet?, network.vni?);
    let (internal, ingress) = (network.spec.internal, network.spec.ingress);
    Some(Item::Network(Network { id, vni, subnet, internal, ingress }))
}

fn endpoint_item(view: &View, node: NodeId, network: NetworkId, task: TaskId) -> Option<Item> {
    let task = view.task(task)?;
    let address = task.addresses.iter().find(|address| address.network == network)?.address;
    let host = task.node?;
    if task.status.state < TaskState::Assigned || task.status.state.is_terminal() {
        return None;
    }
    if !view.network(network)?.spec.ingress && !networks_of(view, node).contains(&network) {
        return None;
    }
    let host_lives = view.node(host).is_some_and(|host| host.status.state != NodeState::Down);
    let serving =
        host_lives && task.status.state == TaskState::Running && task.desired <= TaskState::Complete;
    Some(Item::Endpoint(Endpoint {
        network,
        task: task.id,
        service: task.service,
        address,
        node: host,
        serving,
    }))
}

fn port_item(view: &View, published: u16, protocol: Protocol) -> Option<Item> {
    let mut found = view.services().flat_map(|service| {
        let ports = service.endpoint.ports.iter().filter(|port| port.mode == PublishMode::Ingress);
        ports.map(move |port| (service.id, port))
    });
    let (service, port) = found.find(|(_, port)| port.published == published && port.protocol == protocol)?;
    Some(Item::Port(Port { published, protocol, target: port.target, service }))
}

fn endpoint_keys(task: &Task) -> impl Iterator<Item = Key> + use<> {
    let id = task.id;
    let networks: Vec<NetworkId> = task.addresses.iter().map(|address| address.network).collect();
    networks.into_iter().map(move |network| Key::Endpoint(network, id))
}

fn is_on(key: &Key, network: NetworkId) -> bool {
    matches!(key, Key::Endpoint(on, _) if *on == network)
}

fn port_keys(service: &model::Service) -> Vec<Key> {
    let ingress = service.endpoint.ports.iter().filter(|port| port.mode == PublishMode::Ingress);
    ingress.map(|port| Key::Port(port.published, port.protocol)).collect()
}
