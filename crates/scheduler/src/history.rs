//! What became of a service's earlier tasks, node by node.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{NodeId, SpecId, Task, TaskState, Timestamp};
use store::View;

/// How long a failure counts against its node, as in Swarm.
const FAILURES_COUNT_FOR: Duration = Duration::from_secs(5 * 60);
/// How many failures make a node worse than others, as in Swarm.
const FAILURES_MIN: u32 = 5;

/// What a node has, and had, of a service.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Past {
    /// Living tasks of the service.
    pub(crate) active: u32,
    /// Recent failures of this version of it; 0 below the number from which they count.
    pub(crate) failures: u32,
}

/// Returns the nodes that have, or had, tasks of the spec's service.
pub(crate) fn of(view: &View, spec: SpecId, now: Timestamp) -> BTreeMap<NodeId, Past> {
    let mut nodes: BTreeMap<NodeId, Past> = BTreeMap::new();
    for task in view.tasks_of_service(spec.service) {
        let Some(node) = task.node else { continue };
        let past = nodes.entry(node).or_default();
        past.active += u32::from(is_active(task));
        past.failures += u32::from(task.spec_version == spec.version && has_failed_of_late(task, now));
    }
    for past in nodes.values_mut().filter(|past| past.failures < FAILURES_MIN) {
        past.failures = 0;
    }
    nodes
}

/// Claims that the task counts as one of its node's.
pub(crate) fn is_active(task: &Task) -> bool {
    task.desired <= TaskState::Complete && holds_resources(task)
}

/// Claims that what the task reserved is not free for others.
pub(crate) fn holds_resources(task: &Task) -> bool {
    !task.status.state.is_terminal()
}

fn has_failed_of_late(task: &Task, now: Timestamp) -> bool {
    let has_failed = matches!(task.status.state, TaskState::Failed | TaskState::Rejected);
    has_failed && now.since(task.status.at) <= FAILURES_COUNT_FOR
}
