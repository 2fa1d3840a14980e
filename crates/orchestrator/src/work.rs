//! One replicated service while it is being planned.

use std::sync::Arc;

use model::{Meta, Service, Task, TaskId, TaskState, TaskStatus, Version};
use store::{Draft, Env, View};

use crate::slots::Slots;

/// One replicated service while it is being planned: what is decided goes into the draft and shows in the slots.
#[derive(Debug)]
pub(crate) struct Work<'w, 'e> {
    pub(crate) draft: &'w mut Draft,
    pub(crate) service: Arc<Service>,
    pub(crate) slots: Slots,
    pub(crate) env: &'w mut Env<'e>,
}

impl Work<'_, '_> {
    pub(crate) fn view(&self) -> &View {
        self.draft.view()
    }

    /// Moves what is desired of a task.
    pub(crate) fn advance(&mut self, task: &Task, desired: TaskState) {
        self.slots.advance(self.draft, task, desired);
    }

    /// Has every task of a slot stopped and forgotten.
    pub(crate) fn remove_slot(&mut self, number: u32) {
        self.slots.remove(self.draft, number);
    }

    /// Makes a task of the service's current spec.
    pub(crate) fn create(&mut self, slot: u32, desired: TaskState) {
        let now = self.env.now;
        let task = Task {
            id: TaskId::from_bits((self.env.next_id)()),
            meta: Meta { version: Version(0), created_at: now, updated_at: now },
            service: self.service.id,
            spec_version: self.service.spec_version,
            slot,
            desired,
            node: None,
            addresses: Vec::new(),
            status: TaskStatus {
                state: TaskState::New,
                at: now,
                message: "created".into(),
                err: String::new(),
                container: None,
                ports: Vec::new(),
            },
        };
        self.slots.add(self.draft, task);
    }
}
