//! Keeps tasks off nodes that are not there or take none.

use model::{Availability, NodeState};

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes that are not ready, paused or drained.
pub(crate) struct Ready;

impl Filter for Ready {
    fn applies(&self, _: &Request) -> bool {
        true
    }

    fn check(&self, _: &Request, node: &Candidate) -> bool {
        let node = &node.node;
        node.status.state == NodeState::Ready && node.spec.availability == Availability::Active
    }

    fn is_used_up(&self) -> bool {
        false
    }

    fn explain(&self, nodes: usize) -> String {
        format!("{} not available for new tasks", count_nodes(nodes))
    }
}
