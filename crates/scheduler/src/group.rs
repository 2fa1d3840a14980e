//! Tasks of one service and spec version, which are placed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{NodeId, Spec, Timestamp};
use store::View;

use crate::filter::{FILTERS, Filter};
use crate::fleet::Fleet;
use crate::history::{self, Past};
use crate::request::Request;
use crate::spread::Branch;

/// Tasks of one service and spec version, which are placed together.
pub(crate) struct Group {
    request: Request,
    filters: Vec<&'static dyn Filter>,
    past: BTreeMap<NodeId, Past>,
}

impl Group {
    pub(crate) fn new(view: &View, spec: &Arc<Spec>, now: Timestamp) -> Self {
        let request = Request::of(spec);
        let filters = FILTERS.iter().copied().filter(|filter| filter.applies(&request)).collect();
        let past = history::of(view, spec.id, now);
        Self { request, filters, past }
    }

    /// Returns the nodes for as many of the tasks as find one.
    pub(crate) fn place(&self, fleet: &mut Fleet<'_>, count: usize) -> Vec<NodeId> {
        fleet.begin(self.request.service, &self.past);
        let mut branch = Branch::grow(fleet, &self.request.spread);
        let mut nodes = Vec::with_capacity(count);
        while nodes.len() < count
            && let Some(node) = branch.place(fleet, self)
        {
            nodes.push(node);
        }
        fleet.end(self.request.service);
        nodes
    }

    /// Says why no node takes one more task, the reason of most nodes first.
    pub(crate) fn explain(&self, fleet: &mut Fleet<'_>) -> String {
        fleet.begin(self.request.service, &self.past);
        fleet.join_all();
        let mut refused = vec![0usize; self.filters.len()];
        for at in 0..fleet.members().len() {
            let place = fleet.members()[at];
            fleet.read_uses(place, &self.request);
            let candidate = fleet.candidate(place);
            if let Some(first) =
                self.filters.iter().position(|filter| !filter.check(&self.request, candidate))
            {
                refused[first] += 1;
            }
        }
        fleet.end(self.request.service);
        let mut reasons: Vec<(usize, &dyn Filter)> =
            refused.into_iter().zip(self.filters.iter().copied()).filter(|(nodes, _)| *nodes > 0).collect();
        reasons.sort_by_key(|(nodes, _)| std::cmp::Reverse(*nodes));
        let reasons: Vec<String> = reasons.into_iter().map(|(nodes, filter)| filter.explain(nodes)).collect();
        match reasons.is_empty() {
            true => "no suitable node".into(),
            false => format!("no suitable node ({})", reasons.join("; ")),
        }
    }

    /// Places a task on a candidate, if it passes. Of one that passed before only that is asked which a task uses up.
    pub(crate) fn try_place(&self, fleet: &mut Fleet<'_>, place: usize, passed: Passed) -> Option<NodeId> {
        fleet.read_uses(place, &self.request);
        let candidate = fleet.candidate(place);
        let mut asked = self.filters.iter().filter(|filter| passed == Passed::Never || filter.is_used_up());
        asked.all(|filter| filter.check(&self.request, candidate)).then(|| fleet.place(place, &self.request))
    }
}

/// Whether a candidate passed the filters of its group before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passed {
    /// It was not asked.
    Never,
    /// It passed and took a task.
    Before,
}
