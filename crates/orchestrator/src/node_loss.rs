//! What the loss of a node means to the tasks on it.

use model::{Availability, NodeState, Task};
use store::View;

/// Why a task cannot stay on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The node is down or was removed: nobody can stop the task or say what became of it.
    Gone,
    /// The node's tasks go elsewhere and are stopped in order.
    Drained,
}

/// Returns why the task cannot stay where it is, if so.
pub(crate) fn of(view: &View, task: &Task) -> Option<Loss> {
    let Some(node) = view.node(task.node?) else {
        return Some(Loss::Gone);
    };
    match (node.status.state, node.spec.availability) {
        (NodeState::Down, _) => Some(Loss::Gone),
        (NodeState::Unknown | NodeState::Ready | NodeState::Disconnected, Availability::Drain) => {
            Some(Loss::Drained)
        }
        (
            NodeState::Unknown | NodeState::Ready | NodeState::Disconnected,
            Availability::Active | Availability::Pause,
        ) => None,
    }
}
