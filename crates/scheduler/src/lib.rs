//! Chooses the node on which each task runs, or says why there is none.
//!
//! * [`plan`]: assigns pending tasks; tasks of one service and spec version are placed together.
//!
//! A node must pass every one of a list of filters; among those that do, tasks are spread. It never moves a task that
//! has a node and never looks at how busy a node really is, only at what is reserved.

mod candidate;
mod descriptor;
mod filter;
mod fleet;
mod group;
mod history;
mod request;
mod spread;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{SpecId, Task, TaskState, Timestamp};
use store::{Change, Env, Object, Plan, Touched, View};

use crate::fleet::Fleet;
use crate::group::Group;

/// Returns what should change so that every pending task that fits somewhere has a node, and every other says why not.
///
/// What was touched does not matter: only pending tasks are looked at, and the view lists them.
pub fn plan(view: &View, _touched: &Touched, env: &mut Env<'_>) -> Plan {
    let groups = groups(view);
    if groups.is_empty() {
        return Plan::default();
    }
    let mut plan = Plan::default();
    let mut fleet = Fleet::of(view);
    let mut left: Vec<(Group, Vec<&Arc<Task>>)> = Vec::new();
    for (spec, tasks) in groups {
        let Some(spec) = view.spec(spec) else { continue };
        let group = Group::new(view, spec, env.now);
        let placed = group.place(&mut fleet, tasks.len());
        let rest = tasks[placed.len()..].to_vec();
        plan.changes.extend(tasks.iter().zip(placed).map(|(task, node)| assign(task, node, env.now)));
        if !rest.is_empty() {
            left.push((group, rest));
        }
    }
    // Told last, so that the reasons are those that hold once everything is placed.
    for (group, tasks) in left {
        let reason = group.explain(&mut fleet);
        plan.changes.extend(tasks.into_iter().filter_map(|task| tell(task, &reason)));
    }
    plan
}

/// Returns the tasks that wait for a node, by what they are made from, lowest slot first.
fn groups(view: &View) -> BTreeMap<SpecId, Vec<&Arc<Task>>> {
    let mut slots: BTreeMap<SpecId, Vec<(u32, &Arc<Task>)>> = BTreeMap::new();
    for task in view.pending_tasks().filter(|task| task.status.state == TaskState::Pending) {
        slots.entry(task.spec_id()).or_default().push((task.slot, task));
    }
    slots.into_iter().map(|(spec, tasks)| (spec, in_order(tasks))).collect()
}

/// Orders tasks by slot. They come by id, and so they stay within a slot.
fn in_order(mut tasks: Vec<(u32, &Arc<Task>)>) -> Vec<&Arc<Task>> {
    tasks.sort_by_key(|(slot, _)| *slot);
    tasks.into_iter().map(|(_, task)| task).collect()
}

fn assign(task: &Task, node: model::NodeId, now: Timestamp) -> Change {
    let mut task = task.clone();
    task.node = Some(node);
    task.status.state.advance_to(TaskState::Assigned);
    task.status.at = now;
    task.status.message = "scheduler assigned task to node".into();
    task.status.err = String::new();
    Change::Put(Object::Task(Arc::new(task)))
}

fn tell(task: &Task, reason: &str) -> Option<Change> {
    if task.status.err == reason {
        return None;
    }
    let mut task = task.clone();
    task.status.err = reason.into();
    Some(Change::Put(Object::Task(Arc::new(task))))
}
