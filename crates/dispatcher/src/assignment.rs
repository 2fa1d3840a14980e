//! What a node must know, from a view: the complete set, and the difference between two views.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use model::{
    EndpointMode, NetworkId, NodeId, NodeState, Protocol, PublishMode, ServiceId, SpecId, Task, TaskId,
    TaskState,
};
use store::{Difference, Object, View};
use wire::assignment::{
    Assignment, Endpoint, Item, Items, Key, Network, Node, Port, Service, container_name,
};

/// The option by which users set a network's MTU, as in Docker.
const MTU_OPTION: &str = "com.docker.network.driver.mtu";
/// What every IPv4 host takes, up to what devices take.
const MTU: std::ops::RangeInclusive<u32> = 576..=65_000;

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
    let side = Side::new(sight, node);
    let mut keys = BTreeSet::new();
    for task in sight.view.tasks_on_node(node) {
        keys.insert(Key::Task(task.id));
        keys.insert(Key::Spec(task.spec_id()));
    }
    keys.extend(side.joined().iter().map(|network| Key::Network(*network)));
    keys.extend(sight.view.tasks().flat_map(|task| endpoint_keys(task)));
    keys.extend(sight.view.nodes().map(|node| Key::Node(node.id)));
    keys.extend(sight.view.services().flat_map(|service| port_keys(service)));
    keys.extend(sight.view.services().flat_map(|service| name_keys(sight.view, service)));
    keys.into_iter().filter_map(|key| side.item(key)).map(|item| (item.key(), item)).collect()
}

/// Returns what changed for `node` between two views; none if nothing did.
///
/// It costs what was written between the two. Only a node that enters or leaves a network costs a look at all tasks
/// and services.
pub fn difference(before: Sight<'_>, after: Sight<'_>, node: NodeId, sequence: u64) -> Option<Assignment> {
    let keys = suspects(before, after, node);
    let (before, after_side) = (Side::new(before, node), Side::new(after, node));
    let mut assignment = Assignment { sequence, revision: after.view.index(), ..Assignment::default() };
    for key in keys {
        match (before.item(key), after_side.item(key)) {
            (Some(_), None) => assignment.removed.push(key),
            (former, Some(item)) if !former.as_ref().is_some_and(|former| same(former, &item)) => {
                assignment.put.push(item);
            }
            (_, _) => {}
        }
    }
    (!assignment.put.is_empty() || !assignment.removed.is_empty()).then_some(assignment)
}

/// Returns the keys whose items may differ for `node`.
fn suspects(before: Sight<'_>, after: Sight<'_>, node: NodeId) -> BTreeSet<Key> {
    let mut touched = Touched { node, keys: BTreeSet::new(), whole: BTreeSet::new(), may_join: false };
    for difference in store::differences(before.view, after.view) {
        touched.add(&difference, before.view, after.view);
    }
    let Touched { node, mut keys, mut whole, may_join } = touched;
    if may_join {
        let (joined_before, joined_after) = (networks_of(before.view, node), networks_of(after.view, node));
        whole.extend(joined_before.symmetric_difference(&joined_after));
    }
    if !whole.is_empty() {
        keys.extend(whole.iter().map(|network| Key::Network(*network)));
        let tasks = before.view.tasks().chain(after.view.tasks());
        keys.extend(tasks.flat_map(|task| endpoint_keys(task)).filter(|key| is_on(key, &whole)));
        for view in [before.view, after.view] {
            let names = view.services().flat_map(|service| name_keys(view, service));
            keys.extend(names.filter(|key| is_on(key, &whole)));
        }
    }
    if before.managers != after.managers {
        keys.extend(before.managers.keys().chain(after.managers.keys()).map(|node| Key::Node(*node)));
    }
    keys
}

/// What differences may change for a node.
struct Touched {
    node: NodeId,
    keys: BTreeSet<Key>,
    /// Networks of which every endpoint and name may differ.
    whole: BTreeSet<NetworkId>,
    /// Whether the node may have entered or left a network.
    may_join: bool,
}

impl Touched {
    fn add(&mut self, difference: &Difference, before: &View, after: &View) {
        let (former, latter) = difference.sides();
        let keys = &mut self.keys;
        for object in [former, latter].into_iter().flatten() {
            match object {
                Object::Task(task) => {
                    self.may_join |= task.node == Some(self.node);
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
                Object::Service(service) => {
                    keys.extend(port_keys(service));
                    keys.extend([before, after].into_iter().flat_map(|view| name_keys(view, service)));
                }
                Object::Network(network) => {
                    keys.insert(Key::Network(network.id));
                    if carries(former) != carries(latter) {
                        self.may_join = true;
                        self.whole.insert(network.id);
                    }
                }
                Object::Cluster(_) => {}
            }
        }
    }
}

/// Returns whether a network is there, and if so, whether every node takes part in it.
fn carries(object: Option<&Object>) -> Option<bool> {
    if let Some(Object::Network(network)) = object { Some(network.spec.ingress) } else { None }
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

/// What managers know as one node sees it. What several items need is looked for once.
struct Side<'a> {
    sight: Sight<'a>,
    node: NodeId,
    joined: OnceCell<BTreeSet<NetworkId>>,
    specs: OnceCell<BTreeSet<SpecId>>,
    ports: OnceCell<BTreeMap<(u16, Protocol), Port>>,
}

impl<'a> Side<'a> {
    fn new(sight: Sight<'a>, node: NodeId) -> Self {
        Self { sight, node, joined: OnceCell::new(), specs: OnceCell::new(), ports: OnceCell::new() }
    }

    /// Returns what the node must know under `key`.
    fn item(&self, key: Key) -> Option<Item> {
        let view = self.sight.view;
        match key {
            Key::Task(id) => {
                view.task(id).filter(|task| is_assigned(task, self.node)).cloned().map(Item::Task)
            }
            Key::Spec(id) => self.specs().contains(&id).then(|| view.spec(id).cloned().map(Item::Spec))?,
            Key::Network(id) => self.network(id),
            Key::Endpoint(network, task) => self.endpoint(network, task),
            Key::Node(id) => view.node(id).map(|node| {
                let address = node.status.address;
                let manager_address = self.sight.managers.get(&id).cloned();
                Item::Node(Node { id, address, number: node.number, manager_address })
            }),
            Key::Port(published, protocol) => {
                self.ports().get(&(published, protocol)).cloned().map(Item::Port)
            }
            Key::Service(network, service) => self.service(network, service),
        }
    }

    fn network(&self, id: NetworkId) -> Option<Item> {
        let network = self.sight.view.network(id).filter(|network| self.takes_part(network))?;
        let (subnet, vni) = (network.subnet?, network.vni?);
        let spec = &network.spec;
        let (internal, ingress, name) = (spec.internal, spec.ingress, spec.name.clone());
        let mtu = spec.driver_opts.get(MTU_OPTION).and_then(|mtu| mtu.parse().ok());
        let mtu = mtu.filter(|mtu| MTU.contains(mtu));
        Some(Item::Network(Network { id, vni, subnet, internal, ingress, name, mtu }))
    }

    /// Returns a service's names on a network; none on that of published ports, and none before the service has the
    /// address that they lead to.
    fn service(&self, network: NetworkId, service: ServiceId) -> Option<Item> {
        let view = self.sight.view;
        view.network(network).filter(|network| !network.spec.ingress && self.takes_part(network))?;
        let service = view.service(service)?;
        let held = service.endpoint.virtual_ips.iter().find(|held| held.network == network);
        let mut wishes = service.spec.task.networks.iter();
        let wish = wishes.find(|wish| network_named(view, &wish.target) == Some(network));
        match (service.spec.endpoint.mode, held, wish) {
            (EndpointMode::Vip, None, _) | (EndpointMode::Dnsrr, None, None) => return None,
            (EndpointMode::Vip, Some(_), _)
            | (EndpointMode::Dnsrr, Some(_), _)
            | (EndpointMode::Dnsrr, None, Some(_)) => {}
        }
        Some(Item::Service(Service {
            network,
            service: service.id,
            name: service.spec.name.clone(),
            aliases: wish.map(|wish| wish.aliases.clone()).unwrap_or_default(),
            virtual_ip: held.map(|held| held.address),
        }))
    }

    fn endpoint(&self, network: NetworkId, task: TaskId) -> Option<Item> {
        let view = self.sight.view;
        let task = view.task(task)?;
        let address = task.addresses.iter().find(|address| address.network == network)?.address;
        let host = task.node?;
        let is_there = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
        let on = view.network(network)?;
        if !is_there || !self.takes_part(on) {
            return None;
        }
        let spec = view.spec(task.spec_id()).filter(|_| !on.spec.ingress);
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
            name: spec.map(|spec| container_name(task, &spec.service_name)).unwrap_or_default(),
            hostname: spec.map(|spec| spec.task.container.hostname.clone()).unwrap_or_default(),
        }))
    }

    fn takes_part(&self, network: &model::Network) -> bool {
        network.spec.ingress || self.joined().contains(&network.id)
    }

    fn joined(&self) -> &BTreeSet<NetworkId> {
        self.joined.get_or_init(|| networks_of(self.sight.view, self.node))
    }

    fn specs(&self) -> &BTreeSet<SpecId> {
        self.specs.get_or_init(|| {
            let own = self.sight.view.tasks_on_node(self.node).filter(|task| is_assigned(task, self.node));
            own.map(|task| task.spec_id()).collect()
        })
    }

    fn ports(&self) -> &BTreeMap<(u16, Protocol), Port> {
        self.ports.get_or_init(|| {
            let mut ports = BTreeMap::new();
            for service in self.sight.view.services() {
                for port in ingress_ports(service) {
                    let (published, protocol, target) = (port.published, port.protocol, port.target);
                    let port = Port { published, protocol, target, service: service.id };
                    ports.entry((published, protocol)).or_insert(port);
                }
            }
            ports
        })
    }
}

fn is_assigned(task: &Task, node: NodeId) -> bool {
    task.node == Some(node) && task.status.state >= TaskState::Assigned
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

fn endpoint_keys(task: &Task) -> impl Iterator<Item = Key> + '_ {
    task.addresses.iter().map(|address| Key::Endpoint(address.network, task.id))
}

fn is_on(key: &Key, networks: &BTreeSet<NetworkId>) -> bool {
    matches!(key, Key::Endpoint(network, _) | Key::Service(network, _) if networks.contains(network))
}

/// Returns the keys of the names that a service may have on networks.
fn name_keys(view: &View, service: &model::Service) -> impl Iterator<Item = Key> {
    let held = service.endpoint.virtual_ips.iter().map(|held| held.network);
    let wished = service.spec.task.networks.iter().filter_map(|wish| network_named(view, &wish.target));
    let networks: BTreeSet<NetworkId> = held.chain(wished).collect();
    let service = service.id;
    networks.into_iter().map(move |network| Key::Service(network, service))
}

/// Finds the network that a user wrote by its id or name.
fn network_named(view: &View, target: &str) -> Option<NetworkId> {
    let by_id = target.parse().ok().and_then(|id| view.network(id));
    by_id.or_else(|| view.network_by_name(target)).map(|network| network.id)
}

fn port_keys(service: &model::Service) -> impl Iterator<Item = Key> + '_ {
    ingress_ports(service).map(|port| Key::Port(port.published, port.protocol))
}

fn ingress_ports(service: &model::Service) -> impl Iterator<Item = &model::PortSpec> {
    service.endpoint.ports.iter().filter(|port| port.mode == PublishMode::Ingress)
}

#[cfg(test)]
mod tests;
