//! Replaces tasks of another version than the service's, some slots at a time.
//!
//! How far an update is follows from the tasks: a slot was taken by the update if its newest tasks are of the current
//! version and were made since the update began.

mod judge;
mod progress;

use std::sync::Arc;

use model::{FailureAction, Service, Task, TaskState, UpdateConfig, UpdateOrder, UpdateState, UpdateStatus};

use crate::slots::Slot;
use crate::work::Work;
pub(crate) use judge::judge;
use progress::Progress;

/// Finishes slots whose new task runs, begins others as far as the parallelism allows, and keeps the update status.
pub(crate) fn plan(work: &mut Work<'_, '_>) {
    let config = config_of(&work.service);
    finish(work, config.order);
    if !is_under_way(work) {
        return;
    }
    let progress = Progress::of(&work.service, &work.slots, config.delay, work.env.now);
    if progress.dirty.is_empty() && progress.replacing == 0 {
        complete(work, &config, &progress);
        return;
    }
    for number in progress.next_slots(config.parallelism) {
        begin(work, number, config.order);
    }
    if let (false, Some(time)) = (progress.dirty.is_empty(), progress.rested_at) {
        work.draft.look_again_at(time);
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

/// Claims that an update is under way; one begins with the first dirty slot.
fn is_under_way(work: &mut Work<'_, '_>) -> bool {
    match work.service.update_status.as_ref().map(|status| status.state) {
        Some(UpdateState::Paused | UpdateState::RollbackPaused) => false,
        Some(UpdateState::Updating | UpdateState::RollbackStarted) => true,
        Some(UpdateState::Completed | UpdateState::RollbackCompleted) | None => {
            let is_needed = work.slots.iter().any(|(_, slot)| progress::is_dirty(slot, &work.service));
            if is_needed {
                let (state, message) = (UpdateState::Updating, "update in progress".into());
                let started_at = Some(work.env.now);
                set_status(work, UpdateStatus { state, started_at, completed_at: None, message });
            }
            is_needed
        }
    }
}

/// Shuts down the old tasks of slots that have one of the current version. Where the new task starts first, it must run.
fn finish(work: &mut Work<'_, '_>, order: UpdateOrder) {
    let mut superfluous: Vec<Arc<Task>> = Vec::new();
    for (_, slot) in work.slots.iter() {
        let Some(kept) = best_current(slot, &work.service) else { continue };
        if order == UpdateOrder::StopFirst || kept.status.state == TaskState::Running {
            superfluous.extend(slot.wanted().filter(|task| task.id != kept.id).cloned());
        }
    }
    for task in superfluous {
        work.advance(&task, TaskState::Shutdown);
    }
}

/// Returns the slot's task of the current version that is furthest.
fn best_current<'a>(slot: &'a Slot, service: &Service) -> Option<&'a Arc<Task>> {
    furthest(slot.wanted().filter(|task| task.spec_version == service.spec_version))
}

/// Returns the task that is furthest of those that have not ended; of equal ones the oldest.
fn furthest<'a>(newest_first: impl Iterator<Item = &'a Arc<Task>>) -> Option<&'a Arc<Task>> {
    newest_first.filter(|task| !task.status.state.is_terminal()).max_by_key(|task| task.status.state)
}

fn begin(work: &mut Work<'_, '_>, number: u32, order: UpdateOrder) {
    let old: Vec<_> = work.slots.get(number).into_iter().flat_map(Slot::wanted).cloned().collect();
    let (kept, desired) = match order {
        UpdateOrder::StopFirst => (None, TaskState::Ready),
        // One old task goes on; others are left from an update that was overtaken.
        UpdateOrder::StartFirst => (furthest(old.iter()).map(|task| task.id), TaskState::Running),
    };
    for task in old.iter().filter(|task| Some(task.id) != kept) {
        work.advance(task, TaskState::Shutdown);
    }
    work.create(number, desired);
}

/// Marks the update as done once the last tasks have stayed up for as long as they are watched.
fn complete(work: &mut Work<'_, '_>, config: &UpdateConfig, progress: &Progress) {
    let now = work.env.now;
    let watched_until = match config.failure_action {
        FailureAction::Continue => None,
        FailureAction::Pause | FailureAction::Rollback => {
            progress.last_outcome.map(|outcome| outcome.plus(progress::watch_time(config)))
        }
    };
    if let Some(time) = watched_until.filter(|time| *time > now) {
        work.draft.look_again_at(time);
        return;
    }
    let Some(status) = work.service.update_status.clone() else { return };
    let (state, message) = match status.state {
        UpdateState::RollbackStarted => (UpdateState::RollbackCompleted, "rollback completed"),
        UpdateState::Updating
        | UpdateState::Paused
        | UpdateState::Completed
        | UpdateState::RollbackPaused
        | UpdateState::RollbackCompleted => (UpdateState::Completed, "update completed"),
    };
    let message = message.into();
    set_status(work, UpdateStatus { state, completed_at: Some(now), message, ..status });
}

fn set_status(work: &mut Work<'_, '_>, status: UpdateStatus) {
    Arc::make_mut(&mut work.service).update_status = Some(status);
    work.draft.put(Arc::clone(&work.service));
}
