//! Keeps tasks off nodes of which a constraint does not hold.

use std::net::IpAddr;

use model::{Constraint, Node, Operator, Subnet};

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::descriptor;
use crate::request::Request;

/// Refuses nodes of which not all constraints hold.
pub(crate) struct Constraints;

impl Filter for Constraints {
    fn applies(&self, request: &Request) -> bool {
        !request.constraints.is_empty()
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        request.constraints.iter().all(|constraint| holds(constraint, &node.node))
    }

    fn is_used_up(&self) -> bool {
        false
    }

    fn explain(&self, nodes: usize) -> String {
        format!("scheduling constraints not satisfied on {}", count_nodes(nodes))
    }
}

/// Claims that the constraint holds; one with an unknown key never does.
fn holds(constraint: &Constraint, node: &Node) -> bool {
    let is_equal = match constraint.key.to_ascii_lowercase().as_str() {
        "node.ip" => has_address(node, &constraint.value),
        _ => descriptor::value_of(&constraint.key, node)
            .map(|value| value.eq_ignore_ascii_case(&constraint.value)),
    };
    match (is_equal, constraint.operator) {
        (Some(is_equal), Operator::Equal) => is_equal,
        (Some(is_equal), Operator::NotEqual) => !is_equal,
        (None, Operator::Equal | Operator::NotEqual) => false,
    }
}

/// Claims that the node's address is the given one or lies in the given subnet; nothing if that is neither.
fn has_address(node: &Node, text: &str) -> Option<bool> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(node.status.address == Some(address));
    }
    let subnet: Subnet = text.parse().ok()?;
    Some(matches!(node.status.address, Some(IpAddr::V4(address)) if subnet.contains(address)))
}
