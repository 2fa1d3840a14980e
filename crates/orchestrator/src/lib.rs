//! Decides which tasks should exist: how many, of which version, and which are forgotten.
//!
//! * [`plan`]: makes tasks and moves what is desired of them; it writes a service's update status and, when an update
//!   fails and is to be undone, its spec.
//!
//! It never chooses a node or an address, and never writes what a task is observed to be. What it waits for follows
//! from the tasks themselves, so that a new leader waits for the same.

mod node_loss;
mod parked;
mod reaper;
mod replicated;
mod restart;
mod rollout;
mod scale;
mod slots;
mod work;

use std::collections::BTreeSet;

use model::{Mode, ServiceId, TaskState};
use store::{Draft, Env, Plan, Touched, View};

/// Returns what should change so that each service has the tasks it asks for.
pub fn plan(view: &View, touched: &Touched, env: &mut Env<'_>) -> Plan {
    let mut draft = Draft::new(view.clone());
    for id in services_to_look_at(view, touched) {
        plan_service(&mut draft, id, env);
    }
    draft.into_plan()
}

/// Returns the services that may need something, among them removed ones that still have tasks or specs.
fn services_to_look_at(view: &View, touched: &Touched) -> BTreeSet<ServiceId> {
    match touched {
        Touched::These { services, nodes, networks: _, cluster: false } => {
            let on_nodes = nodes.iter().flat_map(|node| view.tasks_on_node(*node)).map(|task| task.service);
            services.iter().copied().chain(on_nodes).collect()
        }
        Touched::Everything | Touched::These { cluster: true, .. } => {
            // Every task has a spec, so that the specs name the services that are gone.
            let there = view.services().map(|service| service.id);
            there.chain(view.specs().map(|spec| spec.id.service)).collect()
        }
    }
}

fn plan_service(draft: &mut Draft, id: ServiceId, env: &mut Env<'_>) {
    match draft.view().service(id).cloned() {
        Some(service) => match service.spec.mode {
            Mode::Replicated { .. } => replicated::plan(draft, service, env),
            // Control accepts no service of these modes; each gets a module of its own beside `replicated`.
            Mode::Global | Mode::ReplicatedJob { .. } | Mode::GlobalJob => return,
        },
        None => remove_tasks(draft, id),
    }
    reaper::plan(draft, id);
}

fn remove_tasks(draft: &mut Draft, id: ServiceId) {
    let tasks: Vec<_> = draft.view().tasks_of_service(id).cloned().collect();
    for task in tasks.into_iter().filter(|task| task.desired < TaskState::Remove) {
        let mut task = (*task).clone();
        task.desired.advance_to(TaskState::Remove);
        draft.put(task);
    }
}
