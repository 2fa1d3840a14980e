//! Levels tasks over nodes, and over groups of nodes where the user prefers that.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use model::NodeId;

use crate::descriptor;
use crate::fleet::{Fleet, Walk};
use crate::group::{Group, Passed};

/// Nodes over which tasks are spread.
#[derive(Debug)]
pub(crate) enum Branch<'a> {
    /// Evenly, node by node.
    Nodes(Nodes<'a>),
    /// Evenly over branches, which differ in a label.
    Split(Split<'a>),
}

/// Nodes of which the best takes the next task.
#[derive(Debug)]
pub(crate) struct Nodes<'a> {
    known: BinaryHeap<Reverse<Entry>>,
    /// The walk over all other nodes; nothing if these are all.
    walk: Option<Walk<'a>>,
}

/// Branches of which the one with the fewest tasks takes the next.
#[derive(Debug)]
pub(crate) struct Split<'a> {
    branches: Vec<Branch<'a>>,
    order: BinaryHeap<Reverse<(u64, usize)>>,
}

/// The worth of a node, the best first: fewer recent failures, fewer tasks of the service, fewer tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    failures: u32,
    of_service: u32,
    active: u32,
    node: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: Rank,
    place: usize,
    passed: Passed,
}

impl Entry {
    fn of(fleet: &Fleet<'_>, place: usize, passed: Passed) -> Self {
        let candidate = fleet.candidate(place);
        let (failures, of_service, active) = (candidate.failures, candidate.of_service, candidate.active);
        Self { rank: Rank { failures, of_service, active, node: candidate.node.id }, place, passed }
    }
}

impl<'a> Branch<'a> {
    /// Returns the nodes as the preferences divide them. Preferences that are no label have no effect.
    pub(crate) fn grow(fleet: &mut Fleet<'a>, preferences: &[String]) -> Self {
        let is_label = |word: &&String| {
            let word = word.to_ascii_lowercase();
            word.starts_with("node.labels.") || word.starts_with("engine.labels.")
        };
        let labels: Vec<&String> = preferences.iter().filter(is_label).collect();
        if !labels.is_empty() {
            fleet.join_all();
            return divide(fleet, fleet.members().to_vec(), &labels);
        }
        let known = entries(fleet, fleet.members());
        Self::Nodes(Nodes { known, walk: Some(fleet.walk()) })
    }

    /// Places one task and returns where; nothing if no node takes any more.
    pub(crate) fn place(&mut self, fleet: &mut Fleet<'a>, group: &Group) -> Option<NodeId> {
        match self {
            Self::Nodes(nodes) => nodes.place(fleet, group),
            Self::Split(split) => split.place(fleet, group),
        }
    }
}

impl<'a> Nodes<'a> {
    fn place(&mut self, fleet: &mut Fleet<'a>, group: &Group) -> Option<NodeId> {
        loop {
            self.meet_lightest(fleet);
            let mut best = self.known.peek_mut()?;
            let Entry { place, passed, rank: _ } = best.0;
            match group.try_place(fleet, place, passed) {
                Some(node) => {
                    best.0 = Entry::of(fleet, place, Passed::Before);
                    return Some(node);
                }
                None => drop(PeekMut::pop(best)),
            }
        }
    }

    /// Takes the next node of the walk among the known ones if it may be the best. It has no task of the service.
    fn meet_lightest(&mut self, fleet: &mut Fleet<'a>) {
        let Some(walk) = &mut self.walk else { return };
        let Some((active, node)) = fleet.lightest(walk) else {
            self.walk = None;
            return;
        };
        let rank = Rank { failures: 0, of_service: 0, active, node };
        if self.known.peek().is_some_and(|best| best.0.rank < rank) {
            return;
        }
        walk.pass((active, node));
        if let Some(place) = fleet.join(node) {
            self.known.push(Reverse(Entry { rank, place, passed: Passed::Never }));
        }
    }
}

impl<'a> Split<'a> {
    fn place(&mut self, fleet: &mut Fleet<'a>, group: &Group) -> Option<NodeId> {
        while let Some(mut fewest) = self.order.peek_mut() {
            let (tasks, branch) = fewest.0;
            match self.branches[branch].place(fleet, group) {
                Some(node) => {
                    fewest.0 = (tasks + 1, branch);
                    return Some(node);
                }
                None => drop(PeekMut::pop(fewest)),
            }
        }
        None
    }
}

/// Divides nodes by their values of the first label, and each part by the others.
fn divide<'a>(fleet: &Fleet<'_>, places: Vec<usize>, labels: &[&String]) -> Branch<'a> {
    let Some((label, labels)) = labels.split_first() else {
        return Branch::Nodes(Nodes { known: entries(fleet, &places), walk: None });
    };
    let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for place in places {
        let value = descriptor::label_of(label, &fleet.candidate(place).node).unwrap_or_default();
        parts.entry(value.to_owned()).or_default().push(place);
    }
    let mut split = Split { branches: Vec::new(), order: BinaryHeap::new() };
    for part in parts.into_values() {
        let tasks = part.iter().map(|place| u64::from(fleet.candidate(*place).of_service)).sum();
        split.order.push(Reverse((tasks, split.branches.len())));
        split.branches.push(divide(fleet, part, labels));
    }
    Branch::Split(split)
}

fn entries(fleet: &Fleet<'_>, places: &[usize]) -> BinaryHeap<Reverse<Entry>> {
    places.iter().map(|place| Reverse(Entry::of(fleet, *place, Passed::Never))).collect()
}
