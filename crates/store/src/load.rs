//! How many living tasks each node has, and the nodes in that order.

use model::{NodeId, Task, TaskState};

use crate::table::Set;

/// How many living tasks each node has. It lets a few tasks be placed without a look at all others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Loads {
    /// The nodes that have any, also those that are gone.
    counts: Set<(NodeId, u32)>,
    /// The nodes that are there, lightest first.
    lightest_first: Set<(u32, NodeId)>,
}

/// Returns the node on which the task counts: where it is, while it is meant to run or complete and has not ended.
fn counted_on(task: &Task) -> Option<NodeId> {
    let is_living = task.desired <= TaskState::Complete && !task.status.state.is_terminal();
    task.node.filter(|_| is_living)
}

impl Loads {
    /// Follows a task that was written or removed.
    pub(crate) fn follow_task(&mut self, before: Option<&Task>, after: Option<&Task>) {
        let (before, after) = (before.and_then(counted_on), after.and_then(counted_on));
        if before == after {
            return;
        }
        if let Some(node) = before {
            let load = self.of(node);
            self.change(node, load, load.saturating_sub(1));
        }
        if let Some(node) = after {
            let load = self.of(node);
            self.change(node, load, load + 1);
        }
    }

    /// Follows a node that is there from now on.
    pub(crate) fn add_node(&mut self, node: NodeId) {
        self.lightest_first.insert((self.of(node), node));
    }

    /// Follows a node that is gone from now on.
    pub(crate) fn remove_node(&mut self, node: NodeId) {
        self.lightest_first.remove(&(self.of(node), node));
    }

    pub(crate) fn of(&self, node: NodeId) -> u32 {
        self.counts.range((node, 0)..=(node, u32::MAX)).next().map_or(0, |(_, count)| *count)
    }

    pub(crate) fn lightest_first(&self) -> impl Iterator<Item = (u32, NodeId)> {
        self.lightest_first.iter().copied()
    }

    fn change(&mut self, node: NodeId, from: u32, to: u32) {
        self.counts.remove(&(node, from));
        if to > 0 {
            self.counts.insert((node, to));
        }
        if self.lightest_first.remove(&(from, node)) {
            self.lightest_first.insert((to, node));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::View;
    use crate::samples::{node, task};
    use crate::{Change, Key};

    fn put_task(view: &mut View, id: u128, on: Option<u128>, state: TaskState, desired: TaskState) {
        let mut task = task(id, 1);
        task.node = on.map(NodeId::from_bits);
        task.status.state = state;
        task.desired = desired;
        view.draft(&Change::Put(task.into()));
    }

    fn loads(view: &View) -> Vec<(u32, u128)> {
        view.nodes_by_load().map(|(load, node)| (load, node.bits())).collect()
    }

    #[test]
    fn nodes_come_lightest_first_and_then_by_id() {
        let mut view = View::default();
        for id in [3, 1, 2] {
            view.draft(&Change::Put(node(id).into()));
        }

        put_task(&mut view, 10, Some(1), TaskState::Running, TaskState::Running);

        assert_eq!(loads(&view), [(0, 2), (0, 3), (1, 1)]);
        assert_eq!(view.load_of(NodeId::from_bits(1)), 1);
    }

    #[test]
    fn tasks_that_ended_or_are_to_stop_do_not_count() {
        let mut view = View::default();
        view.draft(&Change::Put(node(1).into()));

        put_task(&mut view, 10, Some(1), TaskState::Failed, TaskState::Running);
        put_task(&mut view, 11, Some(1), TaskState::Running, TaskState::Shutdown);
        put_task(&mut view, 12, Some(1), TaskState::Running, TaskState::Complete);

        assert_eq!(loads(&view), [(1, 1)]);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_tasks(
            steps in prop::collection::vec((0u128..6, prop::option::of(0u128..4), any::<bool>(), 0u8..4), 0..60)
        ) {
            let mut view = View::default();
            for (id, on, lives, kind) in steps {
                let state = if lives { TaskState::Running } else { TaskState::Failed };
                match kind {
                    0 => view.draft(&Change::Put(node(id).into())),
                    1 => view.draft(&Change::Delete(Key::Node(NodeId::from_bits(id)), model::Version(0))),
                    2 => view.draft(&Change::Delete(Key::Task(model::TaskId::from_bits(id)), model::Version(0))),
                    _ => put_task(&mut view, id, on, state, TaskState::Running),
                }
            }

            let count = |id| {
                let tasks = view.tasks_on_node(id);
                tasks.filter(|task| !task.status.state.is_terminal()).count() as u32
            };
            let mut expected: Vec<_> = view.nodes().map(|node| (count(node.id), node.id.bits())).collect();
            expected.sort();
            prop_assert_eq!(loads(&view), expected);
        }
    }
}
