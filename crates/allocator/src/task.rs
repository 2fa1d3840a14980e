//! Gives tasks their addresses.

use std::sync::Arc;

use model::{Network, Task, TaskAddress, TaskState, Timestamp};
use store::{Draft, View};

use crate::address::Books;
use crate::attachment;
use crate::network::Lacking;
use crate::service::Waiting;

/// Moves tasks that have an address on each of their networks from new to pending. Returns those that lack something.
pub(crate) fn plan(
    draft: &mut Draft,
    books: &mut Books,
    lacking: &Lacking,
    waiting: &Waiting,
    now: Timestamp,
) -> Vec<Arc<Task>> {
    let pending = draft.view().pending_tasks().filter(|task| task.status.state == TaskState::New);
    // A removed service's tasks are about to be removed too.
    let mut tasks: Vec<Arc<Task>> =
        pending.filter(|task| draft.view().service(task.service).is_some()).cloned().collect();
    tasks.sort_by_key(|task| (task.service, task.slot, task.id));
    tasks.retain_mut(|task| match addresses(draft.view(), task, books, lacking, waiting) {
        Ok(addresses) => {
            addresses.iter().for_each(|given| books.keep(given.network, given.address));
            let given = Arc::make_mut(task);
            given.addresses = addresses;
            given.status.state.advance_to(TaskState::Pending);
            given.status.at = now;
            given.status.message = "pending task scheduling".into();
            given.status.err = String::new();
            draft.put(Arc::clone(task));
            false
        }
        Err(_) => true,
    });
    tasks
}

/// Writes into tasks what they lack.
pub(crate) fn tell(
    draft: &mut Draft,
    books: &mut Books,
    lacking: &Lacking,
    waiting: &Waiting,
    tasks: Vec<Arc<Task>>,
) {
    for mut task in tasks {
        if let Err(reason) = addresses(draft.view(), &task, books, lacking, waiting)
            && reason != task.status.err
        {
            Arc::make_mut(&mut task).status.err = reason;
            draft.put(task);
        }
    }
}

fn addresses(
    view: &View,
    task: &Task,
    books: &mut Books,
    lacking: &Lacking,
    waiting: &Waiting,
) -> Result<Vec<TaskAddress>, String> {
    if let Some(reason) = waiting.get(&task.service) {
        return Err(reason.clone());
    }
    let spec = view.spec(task.spec_id());
    let spec =
        spec.ok_or_else(|| format!("version {} of the service's spec is missing", task.spec_version.0))?;
    let networks = attachment::networks(view, &spec.task, &spec.endpoint)?;
    attachment::check_ready(&networks, lacking)?;
    take_all(view, &networks, books)
}

/// Takes an address on each network; all or none.
fn take_all(view: &View, networks: &[Arc<Network>], books: &mut Books) -> Result<Vec<TaskAddress>, String> {
    let mut taken: Vec<TaskAddress> = Vec::with_capacity(networks.len());
    for network in networks {
        match books.take(view, network) {
            Ok(address) => taken.push(TaskAddress { network: network.id, address }),
            Err(reason) => {
                taken.iter().for_each(|held| books.give_back(held.network, held.address));
                return Err(reason);
            }
        }
    }
    Ok(taken)
}
