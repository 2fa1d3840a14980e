//! Tasks that are made ready and wait for their turn to run.

use std::sync::Arc;
use std::time::Duration;

use model::{RestartPolicy, Task, TaskState, Timestamp};
use store::View;

use crate::slots::{Slot, Slots};
use crate::work::Work;
use crate::{node_loss, restart};

/// How long a parked task waits for the one before it to stop, as in Swarm.
const OLD_TASK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Lets parked tasks run whose delay is over and whose predecessors have stopped.
pub(crate) fn plan(work: &mut Work<'_, '_>) {
    for task in parked(&work.slots) {
        let slot = work.slots.get(task.slot).expect("the task was found in this slot");
        let start = delay_end(work.view(), slot, &task).max(stop_end(work.view(), slot, &task));
        if start <= work.env.now {
            work.advance(&task, TaskState::Running);
        } else {
            work.draft.look_again_at(start);
        }
    }
}

/// Returns when the restart delay of a parked task is over.
///
/// A task has a delay if it replaces one of its own version that ended by itself. One that replaces another version is
/// the work of an update, and one that leaves a lost or drained node must not wait.
pub(crate) fn delay_end(view: &View, slot: &Slot, task: &Task) -> Timestamp {
    let made = task.meta.created_at;
    match slot.before(task.id).first() {
        Some(old) if old.spec_version == task.spec_version && node_loss::of(view, old).is_none() => {
            made.plus(restart::policy_of(view, old).delay.unwrap_or(RestartPolicy::DELAY_DEFAULT))
        }
        Some(_) | None => made,
    }
}

/// Returns until when a parked task waits for those before it to stop.
fn stop_end(view: &View, slot: &Slot, task: &Task) -> Timestamp {
    let made = task.meta.created_at;
    let mut stopping = slot.before(task.id).iter().filter(|old| old.desired > TaskState::Running);
    if stopping.all(|old| is_stopped(view, old)) { made } else { made.plus(OLD_TASK_WAIT_MAX) }
}

/// Claims that the task does not run and never will, as far as anybody can tell.
fn is_stopped(view: &View, task: &Task) -> bool {
    let is_lost = || node_loss::of(view, task) == Some(node_loss::Loss::Gone);
    task.status.state.is_terminal() || task.node.is_none() || is_lost()
}

fn parked(slots: &Slots) -> Vec<Arc<Task>> {
    let wanted = slots.iter().flat_map(|(_, slot)| slot.wanted());
    wanted
        .filter(|task| task.desired < TaskState::Running && !task.status.state.is_terminal())
        .cloned()
        .collect()
}
