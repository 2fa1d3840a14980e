//! A node as it would be with the tasks placed so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Node;

use crate::request::{HostPort, Needs, amount};

/// A node as it would be with the tasks placed so far.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) node: Arc<Node>,
    /// How many living tasks it has.
    pub(crate) active: u32,
    /// How many of them are of the service that is being placed.
    pub(crate) of_service: u32,
    /// How many tasks of the spec that is being placed failed on it of late.
    pub(crate) failures: u32,
    /// What its tasks keep for themselves; read only when somebody asks for some.
    pub(crate) uses: Option<Uses>,
    /// Whether it takes part in the placing of the present group.
    pub(crate) is_member: bool,
    /// The number of living tasks under which it is filed while it takes no part.
    pub(crate) filed: u32,
}

/// What a node's tasks keep for themselves.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    nano_cpus: u64,
    memory_bytes: u64,
    generic: BTreeMap<String, i64>,
    host_ports: BTreeSet<HostPort>,
}

impl Uses {
    pub(crate) fn add(&mut self, needs: &Needs) {
        self.nano_cpus += needs.nano_cpus;
        self.memory_bytes += needs.memory_bytes;
        for (kind, count) in &needs.generic {
            *self.generic.entry(kind.clone()).or_default() += count;
        }
        self.host_ports.extend(needs.host_ports.iter().copied());
    }
}

impl Candidate {
    /// Claims that the node has what is needed beside what its tasks keep. One that never described itself has nothing.
    pub(crate) fn has_free(&self, needs: &Needs) -> bool {
        let (Some(node), Some(uses)) = (&self.node.description, &self.uses) else { return false };
        let fits = |needed: u64, used: u64, there: u64| needed == 0 || used.saturating_add(needed) <= there;
        fits(needs.nano_cpus, uses.nano_cpus, node.nano_cpus)
            && fits(needs.memory_bytes, uses.memory_bytes, node.memory_bytes)
            && needs.generic.iter().all(|(kind, count)| {
                let there: i64 = node
                    .generic
                    .iter()
                    .map(amount)
                    .filter(|(has, _)| has == kind)
                    .map(|(_, count)| count)
                    .sum();
                uses.generic.get(kind).copied().unwrap_or(0).saturating_add(*count) <= there
            })
    }

    /// Claims that none of the ports is taken by a task on the node.
    pub(crate) fn has_ports_free(&self, ports: &[HostPort]) -> bool {
        self.uses.as_ref().is_some_and(|uses| ports.iter().all(|port| !uses.host_ports.contains(port)))
    }

    /// Counts a task that was placed here.
    pub(crate) fn place(&mut self, needs: &Needs) {
        self.active += 1;
        self.of_service += 1;
        if let Some(uses) = &mut self.uses {
            uses.add(needs);
        }
    }
}
