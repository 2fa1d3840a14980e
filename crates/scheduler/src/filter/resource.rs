//! Keeps tasks off nodes that have not enough left of what they reserve.

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes on which the reservations do not fit beside those of the tasks there.
pub(crate) struct Resource;

impl Filter for Resource {
    fn applies(&self, request: &Request) -> bool {
        request.needs.has_reservation()
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        node.has_free(&request.needs)
    }

    fn is_used_up(&self) -> bool {
        true
    }

    fn explain(&self, nodes: usize) -> String {
        format!("insufficient resources on {}", count_nodes(nodes))
    }
}
