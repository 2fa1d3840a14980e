//! Secondary indexes, all kept in this one place.

use std::sync::Arc;

use model::{Network, NetworkId, NodeId, Service, ServiceId, Task, TaskId, TaskState};

use crate::load::Loads;
use crate::table::Set;

/// The keys by which objects are found beside their id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Indexes {
    tasks_by_service: Set<(ServiceId, TaskId)>,
    tasks_by_node: Set<(NodeId, TaskId)>,
    pending: Set<TaskId>,
    services_by_name: Set<(Arc<str>, ServiceId)>,
    networks_by_name: Set<(Arc<str>, NetworkId)>,
    ingress: Set<NetworkId>,
    pub(crate) loads: Loads,
}

impl Indexes {
    /// Follows a task that was written or removed.
    pub(crate) fn follow_task(&mut self, before: Option<&Task>, after: Option<&Task>) {
        let service = |task: &Task| (task.service, task.id);
        let node = |task: &Task| task.node.map(|node| (node, task.id));
        let pending = |task: &Task| is_pending(task).then_some(task.id);
        swap(&mut self.tasks_by_service, before.map(service), after.map(service));
        swap(&mut self.tasks_by_node, before.and_then(node), after.and_then(node));
        swap(&mut self.pending, before.and_then(pending), after.and_then(pending));
        self.loads.follow_task(before, after);
    }

    /// Follows a service that was written or removed.
    pub(crate) fn follow_service(&mut self, before: Option<&Service>, after: Option<&Service>) {
        let name = |service: &Service| (folded(&service.spec.name), service.id);
        swap(&mut self.services_by_name, before.map(name), after.map(name));
    }

    /// Follows a network that was written or removed.
    pub(crate) fn follow_network(&mut self, before: Option<&Network>, after: Option<&Network>) {
        let name = |network: &Network| (folded(&network.spec.name), network.id);
        let ingress = |network: &Network| network.spec.ingress.then_some(network.id);
        swap(&mut self.networks_by_name, before.map(name), after.map(name));
        swap(&mut self.ingress, before.and_then(ingress), after.and_then(ingress));
    }

    pub(crate) fn tasks_of_service(&self, id: ServiceId) -> impl Iterator<Item = TaskId> {
        self.tasks_by_service.range((id, FIRST_TASK)..=(id, LAST_TASK)).map(|(_, task)| *task)
    }

    pub(crate) fn tasks_on_node(&self, id: NodeId) -> impl Iterator<Item = TaskId> {
        self.tasks_by_node.range((id, FIRST_TASK)..=(id, LAST_TASK)).map(|(_, task)| *task)
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = TaskId> {
        self.pending.iter().copied()
    }

    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn service_by_name(&self, name: &str) -> Option<ServiceId> {
        let name = folded(name);
        let first = (Arc::clone(&name), ServiceId::from_bits(0));
        let last = (name, ServiceId::from_bits(u128::MAX));
        self.services_by_name.range(first..=last).next().map(|(_, id)| *id)
    }

    pub(crate) fn network_by_name(&self, name: &str) -> Option<NetworkId> {
        let name = folded(name);
        let first = (Arc::clone(&name), NetworkId::from_bits(0));
        let last = (name, NetworkId::from_bits(u128::MAX));
        self.networks_by_name.range(first..=last).next().map(|(_, id)| *id)
    }

    pub(crate) fn ingress(&self) -> Option<NetworkId> {
        self.ingress.first().copied()
    }
}

const FIRST_TASK: TaskId = TaskId::from_bits(0);
const LAST_TASK: TaskId = TaskId::from_bits(u128::MAX);

/// Claims that the task waits for a node.
fn is_pending(task: &Task) -> bool {
    task.node.is_none() && task.desired <= TaskState::Running
}

/// Returns the name as it is compared: without regard to case, as in Swarm.
fn folded(name: &str) -> Arc<str> {
    name.to_lowercase().into()
}

/// Moves an entry; one that stays costs nothing, which is what most writes of a task come to.
fn swap<K: Ord + Clone>(set: &mut Set<K>, before: Option<K>, after: Option<K>) {
    if before == after {
        return;
    }
    if let Some(before) = before {
        set.remove(&before);
    }
    if let Some(after) = after {
        set.insert(after);
    }
}
