//! Stops or undoes an update of which too many tasks fail.

use std::sync::Arc;

use model::{FailureAction, Service, Task, TaskState, UpdateState, UpdateStatus};

use super::progress::{self, Progress};
use super::{config_of, set_status};
use crate::slots::Slots;
use crate::work::Work;

/// Pauses the service's update or goes back to the spec before, if more of its new tasks ended by themselves than it
/// accepts.
///
/// A task that ends while the update goes on counts, also if it ran for long before: when it began to run is not kept.
pub(crate) fn judge(work: &mut Work<'_, '_>) {
    let Some(status) = &work.service.update_status else { return };
    let config = config_of(&work.service);
    match (status.state, config.failure_action) {
        (
            UpdateState::Updating | UpdateState::RollbackStarted,
            FailureAction::Pause | FailureAction::Rollback,
        ) => {}
        (UpdateState::Updating | UpdateState::RollbackStarted, FailureAction::Continue)
        | (
            UpdateState::Paused
            | UpdateState::Completed
            | UpdateState::RollbackPaused
            | UpdateState::RollbackCompleted,
            _,
        ) => return,
    }
    let failed = failed(&work.service, &work.slots);
    let Some(last) = failed.last() else { return };
    let progress = Progress::of(&work.service, &work.slots, config.delay, work.env.now);
    let slot_count = progress.taken + progress.dirty.len();
    if failed.len() as f64 <= f64::from(config.max_failure_ratio) * slot_count as f64 {
        return;
    }
    let due_to = format!("due to failure or early termination of task {}", last.id);
    let is_rollback = status.state == UpdateState::RollbackStarted;
    let status = status.clone();
    if is_rollback {
        let message = format!("rollback paused {due_to}");
        set_status(work, UpdateStatus { state: UpdateState::RollbackPaused, message, ..status });
    } else if config.failure_action == FailureAction::Rollback && work.service.previous.is_some() {
        roll_back(work, format!("update rolled back {due_to}"));
    } else {
        let message = format!("update paused {due_to}");
        set_status(work, UpdateStatus { state: UpdateState::Paused, message, ..status });
    }
}

/// Returns the new tasks that ended by themselves, in the order in which they did.
fn failed<'a>(service: &Service, slots: &'a Slots) -> Vec<&'a Arc<Task>> {
    let new = slots.iter().flat_map(|(_, slot)| progress::tasks_of_update(slot, service));
    let mut failed: Vec<_> = new
        .filter(|task| {
            matches!(task.status.state, TaskState::Failed | TaskState::Rejected | TaskState::Complete)
        })
        .collect();
    failed.sort_by_key(|task| (task.status.at, task.id));
    failed
}

fn roll_back(work: &mut Work<'_, '_>, message: String) {
    let started_at = Some(work.env.now);
    let service = Arc::make_mut(&mut work.service);
    if let Some(previous) = service.previous.take() {
        (service.spec, service.spec_version) = *previous;
    }
    let state = UpdateState::RollbackStarted;
    set_status(work, UpdateStatus { state, started_at, completed_at: None, message });
}
