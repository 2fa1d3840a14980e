//! Stops or undoes an update of which too many tasks fail.

use std::sync::Arc;

use model::{FailureAction, Service, Task, TaskState, Timestamp, UpdateState, UpdateStatus};
use store::Draft;

use super::progress::{self, Progress};
use super::{config_of, set_status};
use crate::slots::Slots;

/// Pauses the service's update or goes back to the spec before, if more of its new tasks ended by themselves than it
/// accepts. Returns the service as it is then.
///
/// A task that ends while the update goes on counts, also if it ran for long before: when it began to run is not kept.
pub(crate) fn judge(draft: &mut Draft, service: Arc<Service>, slots: &Slots, now: Timestamp) -> Arc<Service> {
    let Some(status) = &service.update_status else { return service };
    let config = config_of(&service);
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
        ) => return service,
    }
    let failed = failed(&service, slots);
    let Some(last) = failed.last() else { return service };
    let progress = Progress::of(&service, slots, config.delay, now);
    let slot_count = progress.taken + progress.dirty.len();
    if failed.len() as f64 <= f64::from(config.max_failure_ratio) * slot_count as f64 {
        return service;
    }
    match (status.state, config.failure_action, &service.previous) {
        (UpdateState::Updating, FailureAction::Rollback, Some(_)) => roll_back(draft, &service, last, now),
        (UpdateState::RollbackStarted, _, _) => pause(
            draft,
            &service,
            status,
            UpdateState::RollbackPaused,
            format!("rollback paused {}", due_to(last)),
        ),
        _ => pause(draft, &service, status, UpdateState::Paused, format!("update paused {}", due_to(last))),
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

fn due_to(task: &Task) -> String {
    format!("due to failure or early termination of task {}", task.id)
}

fn pause(
    draft: &mut Draft,
    service: &Service,
    status: &UpdateStatus,
    state: UpdateState,
    message: String,
) -> Arc<Service> {
    set_status(draft, service, UpdateStatus { state, message, ..status.clone() })
}

fn roll_back(draft: &mut Draft, service: &Service, failed: &Task, now: Timestamp) -> Arc<Service> {
    let mut after = service.clone();
    if let Some(previous) = after.previous.take() {
        (after.spec, after.spec_version) = *previous;
    }
    let status = UpdateStatus {
        state: UpdateState::RollbackStarted,
        started_at: Some(now),
        completed_at: None,
        message: format!("update rolled back {}", due_to(failed)),
    };
    set_status(draft, &after, status)
}
