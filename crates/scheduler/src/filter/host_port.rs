//! Keeps a task off nodes where a host port it publishes is already taken.

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes whose host ports collide with the task's.
pub(crate) struct HostPorts;

impl Filter for HostPorts {
    fn applies(&self, request: &Request) -> bool {
        !request.needs.host_ports.is_empty()
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        node.has_ports_free(&request.needs.host_ports)
    }

    fn is_used_up(&self) -> bool {
        true
    }

    fn explain(&self, nodes: usize) -> String {
        format!("host-mode port already in use on {}", count_nodes(nodes))
    }
}
