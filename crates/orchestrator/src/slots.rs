//! The tasks of a service by slot, as they are while a plan is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ServiceId, SpecVersion, Task, TaskId, TaskState, Timestamp};
use store::{Draft, View};

/// The tasks of one service by slot number. Tasks that are to be removed are not among them.
#[derive(Debug)]
pub(crate) struct Slots(BTreeMap<u32, Slot>);

/// A place among the replicas, and every task it had that is still known.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    newest_first: Vec<Arc<Task>>,
}

impl Slots {
    pub(crate) fn of(view: &View, service: ServiceId) -> Self {
        let mut slots: BTreeMap<u32, Slot> = BTreeMap::new();
        for task in view.tasks_of_service(service).filter(|task| task.desired < TaskState::Remove) {
            slots.entry(task.slot).or_default().newest_first.push(Arc::clone(task));
        }
        for slot in slots.values_mut() {
            slot.newest_first.sort_by_key(|task| std::cmp::Reverse(age_order(task)));
        }
        Self(slots)
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.0.iter().map(|(number, slot)| (*number, slot))
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        self.0.get(&number)
    }

    /// Moves what is desired of a task.
    pub(crate) fn advance(&mut self, draft: &mut Draft, task: &Task, desired: TaskState) {
        let Some(slot) = self.0.get_mut(&task.slot) else { return };
        let Some(place) = slot.newest_first.iter_mut().find(|known| known.id == task.id) else { return };
        Arc::make_mut(place).desired.advance_to(desired);
        draft.put(Arc::clone(place));
    }

    /// Adds a task that is younger than all others.
    pub(crate) fn add(&mut self, draft: &mut Draft, task: Task) {
        let task = Arc::new(task);
        self.0.entry(task.slot).or_default().newest_first.insert(0, Arc::clone(&task));
        draft.put(task);
    }

    /// Has every task of a slot stopped and forgotten.
    pub(crate) fn remove(&mut self, draft: &mut Draft, number: u32) {
        let Some(slot) = self.0.remove(&number) else { return };
        for mut task in slot.newest_first {
            Arc::make_mut(&mut task).desired.advance_to(TaskState::Remove);
            draft.put(task);
        }
    }
}

impl Slot {
    pub(crate) fn tasks(&self) -> &[Arc<Task>] {
        &self.newest_first
    }

    pub(crate) fn newest(&self) -> Option<&Arc<Task>> {
        self.newest_first.first()
    }

    /// Returns the tasks that are meant to live, also if they ended and nobody has dealt with that yet.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.newest_first.iter().filter(|task| task.desired <= TaskState::Running)
    }

    /// Returns the tasks that came before this one, newest first.
    pub(crate) fn before(&self, id: TaskId) -> &[Arc<Task>] {
        let at = self.newest_first.iter().position(|task| task.id == id);
        at.map_or(&[], |at| &self.newest_first[at + 1..])
    }

    /// Returns the newest tasks up to the first that is of another version.
    pub(crate) fn newest_of(&self, version: SpecVersion) -> impl Iterator<Item = &Arc<Task>> {
        self.newest_first.iter().take_while(move |task| task.spec_version == version)
    }
}

/// Orders tasks of one slot by age. Of two made at one time the one that is still wanted came last.
fn age_order(task: &Task) -> (Timestamp, bool, TaskId) {
    (task.meta.created_at, task.desired <= TaskState::Running, task.id)
}
