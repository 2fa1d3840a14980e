//! What a stage does while things happen to a cluster, event after event.

use std::time::Duration;

use model::{NodeId, ServiceId, SpecVersion, Task, TaskState};

use crate::world::{Stage, World, as_lines};
use crate::{describe, notation};

/// Checks what a stage changes after each event. The first event may be empty.
///
/// Events are separated by commas:
///
/// ```text
/// pass 5s                    time passes
/// web.1 running              the newest task of the slot gets there; with →a the newest one on node a
/// web.1 @a starting          it was assigned to node a too
/// node a down                the node is written as the notation says
/// service web x3 v2          the service is written; its endpoint stays and its update status is cleared
/// remove web | remove node a
/// ```
#[track_caller]
pub fn story(stage: Stage, cluster: &str, steps: &[(&str, &str)]) {
    let mut world = World::parse(cluster);
    for (at, (events, expected)) in steps.iter().enumerate() {
        for event in events.split(',').map(str::trim).filter(|event| !event.is_empty()) {
            happen(&mut world, event);
        }
        let before = world.view.clone();

        world.settle(stage);

        let mut changed = describe(&before, &world.view);
        changed.sort();
        assert_eq!(changed, as_lines(expected), "after step {}: {events}", at + 1);
    }
}

fn happen(world: &mut World, event: &str) {
    let (first, rest) = event.split_once(' ').unwrap_or((event, ""));
    match first {
        "pass" => world.pass(seconds(rest)),
        "node" => world.write(|draft| draft.put(notation::node(rest))),
        "service" => write_service(world, rest),
        "remove" => match rest.strip_prefix("node ") {
            Some(node) => world.write(|draft| draft.delete(NodeId::from_bits(notation::bits_of(node)))),
            None => world.write(|draft| draft.delete(ServiceId::from_bits(notation::bits_of(rest)))),
        },
        task => report(world, task, rest),
    }
}

fn seconds(text: &str) -> Duration {
    let count = text.strip_suffix('s').expect("a time ends in s");
    Duration::from_secs_f64(count.parse().expect(text))
}

/// Writes a service as control does: a higher version brings its spec and remembers the one before.
fn write_service(world: &mut World, words: &str) {
    let mut service = notation::service(words);
    let before = world.view.service(service.id).cloned();
    let mut highest = SpecVersion(0);
    if let Some(before) = before {
        highest = before.spec_version_max;
        service.endpoint = before.endpoint.clone();
        service.previous = before.previous.clone();
        if before.spec_version != service.spec_version {
            service.previous = Some(Box::new((before.spec.clone(), before.spec_version)));
        } else {
            service.update_status = before.update_status.clone();
        }
    }
    service.spec_version_max = highest.max(service.spec_version);
    world.write(|draft| {
        draft.put(notation::spec_at(&service, service.spec_version));
        draft.put(service);
    });
}

fn report(world: &mut World, label: &str, words: &str) {
    let id = newest(world, label).id;
    let now = world.now;
    world.change_tasks(
        |task| task.id == id,
        |task| {
            for word in words.split_whitespace() {
                match word.strip_prefix('@') {
                    Some(node) => task.node = Some(NodeId::from_bits(notation::bits_of(node))),
                    None => task.status.state.advance_to(state_of(word)),
                }
            }
            task.status.at = now;
        },
    );
}

fn newest(world: &World, label: &str) -> Task {
    let (label, node) = label.split_once('→').map_or((label, None), |(label, node)| (label, Some(node)));
    let (service, slot) = label.split_once('.').unwrap_or_else(|| panic!("no such event: {label}"));
    let slot: u32 = slot.parse().expect(label);
    let node = node.map(|node| NodeId::from_bits(notation::bits_of(node)));
    let tasks = world.view.tasks_of_service(ServiceId::from_bits(notation::bits_of(service)));
    let there = tasks.filter(|task| task.slot == slot && (node.is_none() || task.node == node));
    let newest = there.max_by_key(|task| (task.meta.created_at, task.is_live(), task.id));
    (**newest.unwrap_or_else(|| panic!("no task {label}"))).clone()
}

fn state_of(word: &str) -> TaskState {
    TaskState::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or_else(|| panic!("state: {word}"))
}
