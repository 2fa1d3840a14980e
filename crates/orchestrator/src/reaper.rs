//! Forgets tasks that are history and specs that nothing refers to.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{ClusterSpec, Service, ServiceId, SpecVersion, Task, TaskId, TaskState};
use store::{Draft, View};

use crate::slots::{Slot, Slots};

/// Deletes what nobody needs of a service's tasks and specs.
pub(crate) fn plan(draft: &mut Draft, id: ServiceId) {
    let mut gone = removed(draft.view(), id);
    if let Some(service) = draft.view().service(id) {
        gone.extend(history(draft.view(), service));
    }
    for task in gone {
        draft.delete(task.id);
    }
    for version in unused_versions(draft.view(), id) {
        draft.delete(model::SpecId { service: id, version });
    }
}

/// Returns the tasks that were to be removed and do not run any more.
fn removed(view: &View, id: ServiceId) -> Vec<Arc<Task>> {
    let tasks = view.tasks_of_service(id).filter(|task| task.desired == TaskState::Remove);
    tasks.filter(|task| has_ended(view, task)).cloned().collect()
}

/// Claims that the task never ran, has ended, or was on a node that was removed.
fn has_ended(view: &View, task: &Task) -> bool {
    let state = task.status.state;
    let is_nodeless = || task.node.is_none_or(|node| view.node(node).is_none());
    state < TaskState::Assigned || state.is_terminal() || is_nodeless()
}

/// Returns the oldest ended tasks of each slot beyond the limit.
fn history(view: &View, service: &Service) -> Vec<Arc<Task>> {
    let Some(limit) = history_limit(view, service) else { return Vec::new() };
    let slots = Slots::of(view, service.id);
    slots.iter().flat_map(|(_, slot)| oldest_ended(view, slot, limit)).collect()
}

/// Returns how many tasks are kept per slot, the living ones among them; nothing if all are kept.
fn history_limit(view: &View, service: &Service) -> Option<usize> {
    let attempts = service.spec.task.restart.as_ref().map_or(0, |policy| policy.max_attempts);
    if attempts > 0 {
        // Attempts are counted by the tasks that are kept.
        return Some(usize::try_from(attempts).unwrap_or(usize::MAX).saturating_add(1));
    }
    let limit = view
        .cluster()
        .map_or(ClusterSpec::default().task_history_limit, |cluster| cluster.spec.task_history_limit);
    usize::try_from(limit).ok()
}

fn oldest_ended(view: &View, slot: &Slot, limit: usize) -> Vec<Arc<Task>> {
    let excess = slot.tasks().len().saturating_sub(limit);
    if excess == 0 {
        return Vec::new();
    }
    let kept = kept_for_waiting(slot);
    let mut ended: Vec<_> = slot
        .tasks()
        .iter()
        .filter(|task| task.desired > TaskState::Running && has_ended(view, task) && !kept.contains(&task.id))
        .cloned()
        .collect();
    ended.sort_by_key(|task| (task.status.at, task.id));
    ended.truncate(excess);
    ended
}

/// Returns the ended tasks that decisions still look at, whatever the limit: those for which a parked task waits, and
/// the last of a slot, which says that the slot is not to be filled again.
fn kept_for_waiting(slot: &Slot) -> BTreeSet<TaskId> {
    let parked = slot.wanted().filter(|task| task.desired < TaskState::Running);
    let awaited = parked.filter_map(|task| slot.before(task.id).first());
    awaited.chain(slot.newest()).map(|task| task.id).collect()
}

/// Returns the versions of a service's spec that no task refers to and to which no update or rollback leads.
fn unused_versions(view: &View, id: ServiceId) -> Vec<SpecVersion> {
    let mut used: BTreeSet<SpecVersion> = view.tasks_of_service(id).map(|task| task.spec_version).collect();
    if let Some(service) = view.service(id) {
        used.insert(service.spec_version);
        used.extend(service.previous.iter().map(|previous| previous.1));
    }
    view.specs_of_service(id).map(|spec| spec.id.version).filter(|version| !used.contains(version)).collect()
}
