//! Keeps tasks off nodes that lack a driver they name.

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes without the log or volume drivers that the task names beside the built-in ones.
pub(crate) struct Plugin;

impl Filter for Plugin {
    fn applies(&self, request: &Request) -> bool {
        !request.drivers.is_empty()
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        let Some(description) = &node.node.description else { return false };
        let plugins = &description.engine.plugins;
        request.drivers.iter().all(|driver| {
            plugins.iter().any(|plugin| plugin.kind == driver.kind && plugin.name == driver.name)
        })
    }

    fn is_used_up(&self) -> bool {
        false
    }

    fn explain(&self, nodes: usize) -> String {
        format!("missing plugin on {}", count_nodes(nodes))
    }
}
