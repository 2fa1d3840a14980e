//! Keeps tasks off nodes that have as many of the service as they may.

use super::Filter;
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes with the highest number of tasks of the service.
pub(crate) struct MaxReplicas;

impl Filter for MaxReplicas {
    fn applies(&self, request: &Request) -> bool {
        request.max_replicas > 0
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        u64::from(node.of_service) < request.max_replicas
    }

    fn is_used_up(&self) -> bool {
        true
    }

    // Swarm's words, which clients know as they are.
    fn explain(&self, _: usize) -> String {
        "max replicas per node limit exceed".into()
    }
}
