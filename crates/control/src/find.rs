//! Finds objects by id, name or the beginning of an id, in this order, as Docker does.

use std::fmt::Display;
use std::sync::Arc;

use model::{Network, Node, Service, Task};
use store::View;

use crate::{Error, error::Kind};

/// Finds a service by id, name or the beginning of its id.
pub fn service<'a>(view: &'a View, text: &str) -> Result<&'a Arc<Service>, Error> {
    if let Some(found) = text.parse().ok().and_then(|id| view.service(id)) {
        return Ok(found);
    }
    if let Some(found) = view.service_by_name(text) {
        return Ok(found);
    }
    by_prefix("service", text, view.services(), |service| service.id)
}

/// Finds a node by id, hostname or the beginning of its id.
pub fn node<'a>(view: &'a View, text: &str) -> Result<&'a Arc<Node>, Error> {
    if let Some(found) = text.parse().ok().and_then(|id| view.node(id)) {
        return Ok(found);
    }
    let named = |node: &&Arc<Node>| {
        node.spec.name == text
            || node.description.as_ref().is_some_and(|described| described.hostname == text)
    };
    match view.nodes().filter(named).collect::<Vec<_>>()[..] {
        [] => by_prefix("node", text, view.nodes(), |node| node.id),
        [only] => Ok(only),
        ref several => Err(ambiguous("node", text, several.len())),
    }
}

/// Finds a task by id or the beginning of it.
pub fn task<'a>(view: &'a View, text: &str) -> Result<&'a Arc<Task>, Error> {
    if let Some(found) = text.parse().ok().and_then(|id| view.task(id)) {
        return Ok(found);
    }
    by_prefix("task", text, view.tasks(), |task| task.id)
}

/// Finds a network by id, name or the beginning of its id.
pub fn network<'a>(view: &'a View, text: &str) -> Result<&'a Arc<Network>, Error> {
    if let Some(found) = text.parse().ok().and_then(|id| view.network(id)) {
        return Ok(found);
    }
    if let Some(found) = view.network_by_name(text) {
        return Ok(found);
    }
    by_prefix("network", text, view.networks(), |network| network.id)
}

fn by_prefix<'a, T, I: Display>(
    what: &str,
    text: &str,
    all: impl Iterator<Item = &'a Arc<T>>,
    id: impl Fn(&T) -> I,
) -> Result<&'a Arc<T>, Error> {
    let found: Vec<&Arc<T>> =
        all.filter(|object| !text.is_empty() && id(object).to_string().starts_with(text)).collect();
    match found[..] {
        [] => Err(Error::not_found(what, text)),
        [only] => Ok(only),
        ref several => Err(ambiguous(what, text, several.len())),
    }
}

fn ambiguous(what: &str, text: &str, matches: usize) -> Error {
    Error::new(Kind::Invalid, format!("{what} {text} is ambiguous ({matches} matches found)"))
}
