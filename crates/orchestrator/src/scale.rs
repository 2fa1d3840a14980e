//! Brings the number of slots to the number of replicas.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::{NodeId, TaskState};
use store::View;

use crate::restart;
use crate::slots::{Slot, Slots};
use crate::work::Work;

/// Fills the lowest free slots, or removes the worst ones. The history of dead slots that are not filled goes too.
pub(crate) fn plan(work: &mut Work<'_, '_>, replicas: u64) {
    let numbers = work.slots.numbers();
    let (occupied, dead): (Vec<u32>, Vec<u32>) = numbers
        .into_iter()
        .partition(|number| work.slots.get(*number).is_some_and(|slot| is_occupied(work.view(), slot)));
    let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
    let mut filled = Vec::new();
    if occupied.len() > wanted {
        for victim in victims(&work.slots, &occupied, wanted) {
            work.remove_slot(victim);
        }
    } else {
        filled = free_numbers(&occupied).take(wanted - occupied.len()).collect();
        for number in &filled {
            work.create(*number, TaskState::Running);
        }
    }
    for number in dead.into_iter().filter(|number| !filled.contains(number)) {
        work.remove_slot(number);
    }
}

/// Claims that the slot has a task that is meant to live, or one that ended and must not be replaced.
fn is_occupied(view: &View, slot: &Slot) -> bool {
    let is_done = || slot.newest().is_some_and(|newest| !restart::is_due(view, slot, newest));
    slot.wanted().next().is_some() || is_done()
}

/// Returns slot numbers from 1 that are not occupied, lowest first.
fn free_numbers(occupied: &[u32]) -> impl Iterator<Item = u32> {
    let mut occupied = occupied.iter().copied().peekable();
    (1..=u32::MAX).filter(move |number| occupied.next_if_eq(number).is_none())
}

/// Returns the slots that go when only `kept` stay, worst first.
///
/// As in Swarm: running slots are counted node by node in order of their number, then the others; the higher a slot's
/// count on its node, the sooner it goes. So crowded nodes lose first. Slots that have no node, or two tasks, go before all.
fn victims(slots: &Slots, occupied: &[u32], kept: usize) -> Vec<u32> {
    let slot = |number: &u32| slots.get(*number).expect("occupied slots were taken from these");
    let mut order: Vec<u32> = occupied.to_vec();
    order.sort_by_key(|number| Reverse(is_running(slot(number))));
    let mut on_node: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, u32)> = Vec::with_capacity(order.len());
    for number in order {
        let rank = match node_of(slot(&number)) {
            Some(node) => {
                let count = on_node.entry(node).or_default();
                *count += 1;
                *count
            }
            None => usize::MAX,
        };
        ranked.push((rank, number));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked[kept..].iter().rev().map(|(_, number)| *number).collect()
}

fn is_running(slot: &Slot) -> bool {
    slot.wanted().any(|task| task.status.state == TaskState::Running)
}

/// Returns the node of the slot's one living task.
fn node_of(slot: &Slot) -> Option<NodeId> {
    let mut wanted = slot.wanted();
    let task = wanted.next()?;
    if wanted.next().is_some() { None } else { task.node }
}
