//! A snapshot of every object.

use std::sync::Arc;

use model::{
    Cluster, ClusterId, Network, NetworkId, Node, NodeId, Service, ServiceId, Spec, SpecId, SpecVersion,
    Task, TaskId,
};

use crate::index::Indexes;
use crate::table::Table;
use crate::{Key, Object};

/// A snapshot of every object. A clone shares everything with the original and costs the same at any size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    pub(crate) index: u64,
    pub(crate) clusters: Table<ClusterId, Cluster>,
    pub(crate) nodes: Table<NodeId, Node>,
    pub(crate) services: Table<ServiceId, Service>,
    pub(crate) specs: Table<SpecId, Spec>,
    pub(crate) tasks: Table<TaskId, Task>,
    pub(crate) networks: Table<NetworkId, Network>,
    pub(crate) indexes: Indexes,
}

impl View {
    /// Returns the log index up to which changes are in.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Returns the cluster, once there is one.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.clusters.first()
    }

    /// Returns the node with this id.
    pub fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.get(&id)
    }

    /// Returns the service with this id.
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.services.get(&id)
    }

    /// Returns the spec with this id.
    pub fn spec(&self, id: SpecId) -> Option<&Arc<Spec>> {
        self.specs.get(&id)
    }

    /// Returns the task with this id.
    pub fn task(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.tasks.get(&id)
    }

    /// Returns the network with this id.
    pub fn network(&self, id: NetworkId) -> Option<&Arc<Network>> {
        self.networks.get(&id)
    }

    /// Returns the object with this key.
    pub fn get(&self, key: Key) -> Option<Object> {
        match key {
            Key::Cluster(id) => self.clusters.get(&id).map(|object| Object::Cluster(Arc::clone(object))),
            Key::Node(id) => self.nodes.get(&id).map(|object| Object::Node(Arc::clone(object))),
            Key::Service(id) => self.services.get(&id).map(|object| Object::Service(Arc::clone(object))),
            Key::Spec(id) => self.specs.get(&id).map(|object| Object::Spec(Arc::clone(object))),
            Key::Task(id) => self.tasks.get(&id).map(|object| Object::Task(Arc::clone(object))),
            Key::Network(id) => self.networks.get(&id).map(|object| Object::Network(Arc::clone(object))),
        }
    }

    /// Returns all nodes, ordered by id.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.rows()
    }

    /// Returns all services, ordered by id.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.rows()
    }

    /// Returns all specs, ordered by service and version.
    pub fn specs(&self) -> impl Iterator<Item = &Arc<Spec>> {
        self.specs.rows()
    }

    /// Returns all tasks, ordered by id.
    pub fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.rows()
    }

    /// Returns all networks, ordered by id.
    pub fn networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.networks.rows()
    }

    /// Returns every object, kind after kind, each ordered by id.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        let clusters = self.clusters.rows().map(|object| Object::Cluster(Arc::clone(object)));
        let nodes = self.nodes().map(|object| Object::Node(Arc::clone(object)));
        let services = self.services().map(|object| Object::Service(Arc::clone(object)));
        let specs = self.specs().map(|object| Object::Spec(Arc::clone(object)));
        let tasks = self.tasks().map(|object| Object::Task(Arc::clone(object)));
        let networks = self.networks().map(|object| Object::Network(Arc::clone(object)));
        clusters.chain(nodes).chain(services).chain(specs).chain(tasks).chain(networks)
    }

    /// Returns the service with this name, without regard to case.
    pub fn service_by_name(&self, name: &str) -> Option<&Arc<Service>> {
        self.indexes.service_by_name(name).and_then(|id| self.service(id))
    }

    /// Returns the network with this name, without regard to case.
    pub fn network_by_name(&self, name: &str) -> Option<&Arc<Network>> {
        self.indexes.network_by_name(name).and_then(|id| self.network(id))
    }

    /// Returns the network that carries published ports, once there is one.
    pub fn ingress_network(&self) -> Option<&Arc<Network>> {
        self.indexes.ingress().and_then(|id| self.network(id))
    }

    /// Returns the tasks of a service, ordered by id, also when the service is gone.
    pub fn tasks_of_service(&self, id: ServiceId) -> impl Iterator<Item = &Arc<Task>> {
        self.indexes.tasks_of_service(id).filter_map(|id| self.task(id))
    }

    /// Returns the tasks that were placed on a node, ordered by id.
    pub fn tasks_on_node(&self, id: NodeId) -> impl Iterator<Item = &Arc<Task>> {
        self.indexes.tasks_on_node(id).filter_map(|id| self.task(id))
    }

    /// Returns how many living tasks a node has: those that are meant to run or complete and have not ended.
    pub fn load_of(&self, id: NodeId) -> u32 {
        self.indexes.loads.of(id)
    }

    /// Returns all nodes with the number of their living tasks, lightest first, and by id where that is the same.
    pub fn nodes_by_load(&self) -> impl Iterator<Item = (u32, NodeId)> {
        self.indexes.loads.lightest_first()
    }

    /// Returns the specs of a service, oldest first.
    pub fn specs_of_service(&self, id: ServiceId) -> impl Iterator<Item = &Arc<Spec>> {
        let at = |version| SpecId { service: id, version: SpecVersion(version) };
        self.specs.range(at(0)..=at(u32::MAX))
    }

    /// Returns the tasks that are meant to run and have no node, ordered by id.
    pub fn pending_tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.indexes.pending().filter_map(|id| self.task(id))
    }

    /// Returns how many tasks there are, ended ones included.
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Returns how many tasks are meant to run and have no node.
    pub fn pending_task_count(&self) -> usize {
        self.indexes.pending_count()
    }

    /// Returns how many objects there are of all kinds together.
    pub fn object_count(&self) -> usize {
        let Self { index: _, clusters, nodes, services, specs, tasks, networks, indexes: _ } = self;
        clusters.len() + nodes.len() + services.len() + specs.len() + tasks.len() + networks.len()
    }

    /// Returns how many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns how many services there are.
    pub fn service_count(&self) -> usize {
        self.services.len()
    }

    /// Returns how many networks there are.
    pub fn network_count(&self) -> usize {
        self.networks.len()
    }
}
