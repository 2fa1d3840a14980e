//! What a node must be like to get a task.

mod constraint;
mod host_port;
mod max_replicas;
mod platform;
mod plugin;
mod ready;
mod resource;

use crate::candidate::Candidate;
use crate::request::Request;

/// Something a node must be like to get a task.
pub(crate) trait Filter: Sync {
    /// Claims that the request asks for it at all.
    fn applies(&self, request: &Request) -> bool;

    /// Claims that the node is like that.
    fn check(&self, request: &Request, node: &Candidate) -> bool;

    /// Claims that a node may pass and fail after one more task was placed on it.
    fn is_used_up(&self) -> bool;

    /// Says that this many nodes were refused, in Swarm's words.
    fn explain(&self, nodes: usize) -> String;
}

/// All filters, in the order in which they are asked; the first that refuses a node is the one that is told.
pub(crate) const FILTERS: &[&dyn Filter] = &[
    &ready::Ready,
    &resource::Resource,
    &plugin::Plugin,
    &constraint::Constraints,
    &platform::Platforms,
    &host_port::HostPorts,
    &max_replicas::MaxReplicas,
];

/// Writes a number of nodes.
fn count_nodes(nodes: usize) -> String {
    if nodes == 1 { "1 node".into() } else { format!("{nodes} nodes") }
}
