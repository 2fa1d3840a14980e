//! Replaces tasks of another version than the service's, some slots at a time.
//!
//! How far an update is follows from the tasks: a slot was taken by the update if its newest tasks are of the current
//! version and were made since the update began.

mod judge;
mod progress;

use std::sync::Arc;

use model::{
    FailureAction, Service, Task, TaskState, Timestamp, UpdateConfig, UpdateOrder, UpdateState, UpdateStatus,
};
use store::{Draft, Env};

use crate::slots::{Slot, Slots};
pub(crate) use judge::judge;
use progress::Progress;

/// Finishes slots whose new task runs, begins others as far as the parallelism allows, and keeps the update status.
pub(crate) fn plan(draft: &mut Draft, service: &Arc<Service>, slots: &mut Slots, env: &mut Env<'_>) {
    let config = config_of(service);
    finish(draft, service, slots, config.order);
    let Some(service) = &under_way(draft, service, slots, env.now) else { return };
    let progress = Progress::of(service, slots, config.delay, env.now);
    if progress.dirty.is_empty() && progress.replacing == 0 {
        complete(draft, service, &config, &progress, env.now);
        return;
    }
    for number in progress.next_slots(config.parallelism) {
        begin(draft, service, slots, number, config.order, env);
    }
    if let (false, Some(time)) = (progress.dirty.is_empty(), progress.rested_at) {
        draft.look_again_at(time);
    }
}

/// Returns how the service's update, or its rollback, is to go.
fn config_of(service: &Service) -> UpdateConfig {
    let config = match service.update_status.as_ref().map(|status| status.state) {
        Some(UpdateState::RollbackStarted | UpdateState::RollbackPaused) => &service.spec.rollback,
        Some(
            UpdateState::Updating
            | UpdateState::Paused
            | UpdateState::Completed
            | UpdateState::RollbackCompleted,
        )
        | None => &service.spec.update,
    };
    config.clone().unwrap_or_default()
}

/// Returns the service with its update status while an update is under way; one begins with the first dirty slot.
fn under_way(
    draft: &mut Draft,
    service: &Arc<Service>,
    slots: &Slots,
    now: Timestamp,
) -> Option<Arc<Service>> {
    match service.update_status.as_ref().map(|status| status.state) {
        Some(UpdateState::Paused | UpdateState::RollbackPaused) => None,
        Some(UpdateState::Updating | UpdateState::RollbackStarted) => Some(Arc::clone(service)),
        Some(UpdateState::Completed | UpdateState::RollbackCompleted) | None => {
            slots.iter().find(|(_, slot)| progress::is_dirty(slot, service))?;
            let (state, message) = (UpdateState::Updating, "update in progress".into());
            Some(set_status(
                draft,
                service,
                UpdateStatus { state, started_at: Some(now), completed_at: None, message },
            ))
        }
    }
}

/// Shuts down the old tasks of slots that have one of the current version. Where the new task starts first, it must run.
fn finish(draft: &mut Draft, service: &Service, slots: &mut Slots, order: UpdateOrder) {
    let mut superfluous: Vec<Arc<Task>> = Vec::new();
    for (_, slot) in slots.iter() {
        let Some(kept) = best_current(slot, service) else { continue };
        if order == UpdateOrder::StopFirst || kept.status.state == TaskState::Running {
            superfluous.extend(slot.wanted().filter(|task| task.id != kept.id).cloned());
        }
    }
    for task in superfluous {
        slots.advance(draft, &task, TaskState::Shutdown);
    }
}

/// Returns the slot's task of the current version that is furthest; of equal ones the oldest.
fn best_current<'a>(slot: &'a Slot, service: &Service) -> Option<&'a Arc<Task>> {
    let current = slot
        .wanted()
        .filter(|task| task.spec_version == service.spec_version && !task.status.state.is_terminal());
    current.max_by_key(|task| task.status.state)
}

fn begin(
    draft: &mut Draft,
    service: &Service,
    slots: &mut Slots,
    number: u32,
    order: UpdateOrder,
    env: &mut Env<'_>,
) {
    let desired = match order {
        UpdateOrder::StartFirst => TaskState::Running,
        UpdateOrder::StopFirst => {
            let old: Vec<_> = slots.get(number).into_iter().flat_map(Slot::wanted).cloned().collect();
            for task in old {
                slots.advance(draft, &task, TaskState::Shutdown);
            }
            TaskState::Ready
        }
    };
    slots.create(draft, service, number, desired, env);
}

/// Marks the update as done once the last tasks have stayed up for as long as they are watched.
fn complete(
    draft: &mut Draft,
    service: &Arc<Service>,
    config: &UpdateConfig,
    progress: &Progress,
    now: Timestamp,
) {
    let watched_until = match config.failure_action {
        FailureAction::Continue => None,
        FailureAction::Pause | FailureAction::Rollback => {
            progress.last_outcome.map(|outcome| outcome.plus(progress::watch_time(config)))
        }
    };
    if let Some(time) = watched_until.filter(|time| *time > now) {
        draft.look_again_at(time);
        return;
    }
    let Some(status) = service.update_status.clone() else { return };
    let (state, message) = match status.state {
        UpdateState::RollbackStarted => (UpdateState::RollbackCompleted, "rollback completed"),
        UpdateState::Updating
        | UpdateState::Paused
        | UpdateState::Completed
        | UpdateState::RollbackPaused
        | UpdateState::RollbackCompleted => (UpdateState::Completed, "update completed"),
    };
    let message = message.into();
    set_status(draft, service, UpdateStatus { state, completed_at: Some(now), message, ..status });
}

fn set_status(draft: &mut Draft, service: &Service, status: UpdateStatus) -> Arc<Service> {
    let service = Arc::new(Service { update_status: Some(status), ..service.clone() });
    draft.put(Arc::clone(&service));
    service
}
