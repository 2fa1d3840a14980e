//! How far an update is, read from the tasks.

use std::sync::Arc;
use std::time::Duration;

use model::{Service, Task, TaskState, Timestamp, UpdateConfig};

use crate::slots::{Slot, Slots};

/// How long new tasks are watched when nothing is said, as in Swarm.
const MONITOR_DEFAULT: Duration = Duration::from_secs(5);

/// How far an update is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The slots that have no task of the current version and were not taken yet.
    pub(crate) dirty: Vec<u32>,
    /// How many slots were taken by this update.
    pub(crate) taken: usize,
    /// How many of them have a new task that neither runs nor ended.
    pub(crate) replacing: usize,
    /// How many rest after their replacement.
    pub(crate) resting: usize,
    /// When the first of them has rested.
    pub(crate) rested_at: Option<Timestamp>,
    /// When the last new task first ran or ended.
    pub(crate) last_outcome: Option<Timestamp>,
}

impl Progress {
    pub(crate) fn of(service: &Service, slots: &Slots, delay: Duration, now: Timestamp) -> Self {
        let mut progress = Self::default();
        for (number, slot) in slots.iter() {
            if is_dirty(slot, service) {
                progress.dirty.push(number);
                continue;
            }
            let new = tasks_of_update(slot, service);
            if !new.is_empty() {
                progress.count(&new, delay, now);
            }
        }
        progress
    }

    /// Returns the slots to take next.
    pub(crate) fn next_slots(&self, parallelism: u64) -> Vec<u32> {
        let workers = match usize::try_from(parallelism) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(workers) => workers,
        };
        let free = workers.saturating_sub(self.replacing + self.resting);
        self.dirty.iter().copied().take(free).collect()
    }

    fn count(&mut self, new: &[&Arc<Task>], delay: Duration, now: Timestamp) {
        self.taken += 1;
        let outcomes = new.iter().filter(|task| task.status.state >= TaskState::Running);
        let Some(outcome) = outcomes.map(|task| task.status.at).min() else {
            // A new task that nobody wants any more will never have an outcome.
            self.replacing += usize::from(new.iter().any(|task| task.desired <= TaskState::Running));
            return;
        };
        self.last_outcome = self.last_outcome.max(Some(outcome));
        let rested = outcome.plus(delay);
        if rested > now {
            self.resting += 1;
            self.rested_at = Some(self.rested_at.map_or(rested, |earlier| earlier.min(rested)));
        }
    }
}

/// Returns how long the last new tasks are watched after they ran, before the update is done.
pub(crate) fn watch_time(config: &UpdateConfig) -> Duration {
    let monitor = config.monitor.unwrap_or(MONITOR_DEFAULT);
    if config.delay >= monitor { config.delay + Duration::from_secs(1) } else { monitor }
}

/// Returns the tasks that the update which is under way made in a slot, newest first.
pub(crate) fn tasks_of_update<'a>(slot: &'a Slot, service: &Service) -> Vec<&'a Arc<Task>> {
    let started_at = service.update_status.as_ref().and_then(|status| status.started_at);
    let is_since = |task: &&Arc<Task>| started_at.is_none_or(|start| task.meta.created_at >= start);
    slot.newest_of(service.spec_version).filter(is_since).collect()
}

/// Claims that the slot has no task of the current version and that none was tried. One that was tried and ended is left
/// to the restart policy.
pub(super) fn is_dirty(slot: &Slot, service: &Service) -> bool {
    let is_current = |task: &Arc<Task>| task.spec_version == service.spec_version;
    !slot.wanted().any(is_current) && !slot.newest().is_some_and(is_current)
}
