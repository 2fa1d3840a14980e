//! The nodes while tasks are being placed.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use model::{NodeId, ServiceId, SpecId};
use store::View;

use crate::candidate::{Candidate, Uses};
use crate::history::{self, Past};
use crate::request::{Needs, Request};

/// A node and how many living tasks it has, the number first: so they are ordered.
pub(crate) type Load = (u32, NodeId);

/// The nodes while tasks are being placed. A node becomes a candidate once somebody looks at it, so that placing a few
/// tasks looks at a few nodes.
///
/// Groups are placed one after the other. A candidate is a member of the present group once it takes part in it; the
/// others are filed by load.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    view: &'a View,
    candidates: Vec<Candidate>,
    places: BTreeMap<NodeId, usize>,
    filed: BTreeSet<Load>,
    members: Vec<usize>,
    /// What each service got in this pass.
    placed: BTreeMap<(ServiceId, NodeId), u32>,
    needs: BTreeMap<SpecId, Needs>,
}

/// A walk over the nodes that are no members of the present group, lightest first.
pub(crate) struct Walk<'a> {
    untouched: Peekable<Box<dyn Iterator<Item = Load> + 'a>>,
    last_filed: Option<Load>,
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("last_filed", &self.last_filed).finish_non_exhaustive()
    }
}

impl Walk<'_> {
    /// Goes on behind a filed node. One that was not filed is behind once it is a candidate.
    pub(crate) fn pass(&mut self, load: Load) {
        self.last_filed = self.last_filed.max(Some(load));
    }
}

impl<'a> Fleet<'a> {
    pub(crate) fn of(view: &'a View) -> Self {
        Self {
            view,
            candidates: Vec::new(),
            places: BTreeMap::new(),
            filed: BTreeSet::new(),
            members: Vec::new(),
            placed: BTreeMap::new(),
            needs: BTreeMap::new(),
        }
    }

    /// Begins a group: the nodes that have or had tasks of the service are its first members.
    pub(crate) fn begin(&mut self, service: ServiceId, past: &BTreeMap<NodeId, Past>) {
        for (node, past) in past {
            if let Some(place) = self.join(*node) {
                self.candidates[place].of_service = past.active;
                self.candidates[place].failures = past.failures;
            }
        }
        let all = (service, NodeId::from_bits(0))..=(service, NodeId::from_bits(u128::MAX));
        let placed: Vec<_> = self.placed.range(all).map(|((_, node), count)| (*node, *count)).collect();
        for (node, count) in placed {
            if let Some(place) = self.join(node) {
                self.candidates[place].of_service += count;
            }
        }
    }

    /// Ends a group: its members are filed under what they have by then.
    pub(crate) fn end(&mut self, service: ServiceId) {
        for place in std::mem::take(&mut self.members) {
            let candidate = &mut self.candidates[place];
            let placed = candidate.active - candidate.filed;
            if placed > 0 {
                *self.placed.entry((service, candidate.node.id)).or_default() += placed;
            }
            (candidate.is_member, candidate.of_service, candidate.failures) = (false, 0, 0);
            candidate.filed = candidate.active;
            self.filed.insert((candidate.active, candidate.node.id));
        }
    }

    pub(crate) fn members(&self) -> &[usize] {
        &self.members
    }

    pub(crate) fn candidate(&self, place: usize) -> &Candidate {
        &self.candidates[place]
    }

    /// Makes a node a member of the present group and returns its place; nothing if there is no such node.
    pub(crate) fn join(&mut self, id: NodeId) -> Option<usize> {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => self.add(id)?,
        };
        let candidate = &mut self.candidates[place];
        if !candidate.is_member {
            candidate.is_member = true;
            self.filed.remove(&(candidate.filed, id));
            self.members.push(place);
        }
        Some(place)
    }

    /// Makes every node a member of the present group.
    pub(crate) fn join_all(&mut self) {
        for node in self.view.nodes() {
            self.join(node.id);
        }
    }

    /// Begins a walk.
    pub(crate) fn walk(&self) -> Walk<'a> {
        let nodes: Box<dyn Iterator<Item = Load> + 'a> = Box::new(self.view.nodes_by_load());
        Walk { untouched: nodes.peekable(), last_filed: None }
    }

    /// Returns the lightest node that is no member and was not passed by the walk.
    pub(crate) fn lightest(&self, walk: &mut Walk<'a>) -> Option<Load> {
        while walk.untouched.next_if(|(_, node)| self.places.contains_key(node)).is_some() {}
        let untouched = walk.untouched.peek().copied();
        let from = walk.last_filed.map_or(Bound::Unbounded, Bound::Excluded);
        let filed = self.filed.range((from, Bound::Unbounded)).next().copied();
        match (untouched, filed) {
            (Some(untouched), Some(filed)) => Some(untouched.min(filed)),
            (one, other) => one.or(other),
        }
    }

    /// Reads what the tasks on a candidate keep for themselves, if the request asks for anything of that kind.
    pub(crate) fn read_uses(&mut self, place: usize, request: &Request) {
        if request.needs.is_nothing() || self.candidates[place].uses.is_some() {
            return;
        }
        let mut uses = Uses::default();
        for task in self.view.tasks_on_node(self.candidates[place].node.id) {
            if history::holds_resources(task) {
                uses.add(needs_of(&mut self.needs, self.view, task.spec_id()));
            }
        }
        self.candidates[place].uses = Some(uses);
    }

    /// Counts a task of the request on a candidate.
    pub(crate) fn place(&mut self, place: usize, request: &Request) -> NodeId {
        self.candidates[place].place(&request.needs);
        self.candidates[place].node.id
    }

    fn add(&mut self, id: NodeId) -> Option<usize> {
        let node = Arc::clone(self.view.node(id)?);
        let active = self.view.load_of(id);
        let place = self.candidates.len();
        self.candidates.push(Candidate {
            node,
            active,
            of_service: 0,
            failures: 0,
            uses: None,
            is_member: false,
            filed: active,
        });
        self.places.insert(id, place);
        Some(place)
    }
}

fn needs_of<'n>(known: &'n mut BTreeMap<SpecId, Needs>, view: &View, id: SpecId) -> &'n Needs {
    known.entry(id).or_insert_with(|| view.spec(id).map(|spec| Needs::of(spec)).unwrap_or_default())
}
