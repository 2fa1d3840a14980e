//! Replaces tasks that ended or lost their node.

use std::sync::Arc;

use model::{RestartCondition, RestartPolicy, Service, Task, TaskState};
use store::View;

use crate::node_loss::{self, Loss};
use crate::parked;
use crate::slots::{Slot, Slots};
use crate::work::Work;

/// Shuts down what ended or lost its node, and puts replacements into the same slots where the policy asks for one.
///
/// A replacement for a task on a lost node starts at once: nobody can stop the old one. Any other is parked until the
/// restart delay is over and the old task has stopped.
pub(crate) fn plan(work: &mut Work<'_, '_>) {
    for number in work.slots.numbers() {
        for (task, end) in ended(work.view(), &work.slots, number) {
            replace(work, &task, end);
        }
    }
}

/// Claims that a task that ended is to be replaced, by the policy of its own spec.
pub(crate) fn is_due(view: &View, slot: &Slot, task: &Task) -> bool {
    let policy = policy_of(view, task);
    match policy.condition {
        RestartCondition::None => return false,
        RestartCondition::OnFailure if task.status.state == TaskState::Complete => return false,
        RestartCondition::OnFailure | RestartCondition::Any => {}
    }
    policy.max_attempts == 0 || attempts(slot, task, &policy) < policy.max_attempts
}

/// Returns the restart policy under which the task was made.
pub(crate) fn policy_of(view: &View, task: &Task) -> RestartPolicy {
    view.spec(task.spec_id()).and_then(|spec| spec.task.restart.clone()).unwrap_or_default()
}

/// How a task came to need a replacement.
#[derive(Debug, Clone, Copy)]
enum End {
    Ended,
    Lost(Loss),
}

fn end_of(view: &View, task: &Task) -> Option<End> {
    let ended = || task.status.state.is_terminal().then_some(End::Ended);
    node_loss::of(view, task).map(End::Lost).or_else(ended)
}

fn ended(view: &View, slots: &Slots, number: u32) -> Vec<(Arc<Task>, End)> {
    let wanted = slots.get(number).into_iter().flat_map(Slot::wanted);
    wanted.filter_map(|task| Some((Arc::clone(task), end_of(view, task)?))).collect()
}

fn replace(work: &mut Work<'_, '_>, task: &Task, end: End) {
    let slot = work.slots.get(task.slot).expect("the task was found in this slot");
    if matches!(end, End::Ended) && task.desired == TaskState::Ready {
        // It ended before its own delay was over; waiting for that keeps instant rejections from spinning.
        let delay_end = parked::delay_end(work.view(), slot, task);
        if delay_end > work.env.now {
            work.draft.look_again_at(delay_end);
            return;
        }
    }
    let is_due = is_needed(work.view(), &work.service, slot, task) && is_due(work.view(), slot, task);
    work.advance(task, TaskState::Shutdown);
    if is_due {
        let desired = match end {
            End::Lost(Loss::Gone) => TaskState::Running,
            End::Lost(Loss::Drained) | End::Ended => TaskState::Ready,
        };
        work.create(task.slot, desired);
    }
}

/// Claims that without this task its slot lacks one. In an update that starts tasks first, the old task is enough while
/// it lives, but a failed one of the current version is tried again beside it.
fn is_needed(view: &View, service: &Service, slot: &Slot, task: &Task) -> bool {
    let is_current = |task: &Task| task.spec_version == service.spec_version;
    let mut others = slot.wanted().filter(|other| other.id != task.id && end_of(view, other).is_none());
    others.all(|other| !is_current(other) && is_current(task))
}

/// Counts how often this version of the slot's task was restarted, within the policy's window before the task ended.
fn attempts(slot: &Slot, task: &Task, policy: &RestartPolicy) -> u64 {
    let earlier = slot.before(task.id).iter().map(|task| &**task);
    let chain: Vec<&Task> = std::iter::once(task)
        .chain(earlier)
        .take_while(|known| known.spec_version == task.spec_version)
        .collect();
    let is_within = |restart: &&&Task| {
        policy.window.is_zero() || task.status.at.since(restart.meta.created_at) < policy.window
    };
    // The oldest of the chain was the first start, which is no restart.
    chain[..chain.len() - 1].iter().filter(is_within).count() as u64
}
