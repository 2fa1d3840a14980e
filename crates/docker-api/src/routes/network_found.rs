//! Which network a client means: one of this host's, or one of the cluster's.

use std::sync::Arc;

use engine_json as json;
use model::Predefined;
use store::View;

use crate::error::ApiError;
use crate::request::App;

/// A network that was found.
pub(super) enum Found {
    /// One of this host.
    OfHost(Box<json::NetworkInspect>),
    /// One that every node has, as services name it.
    Predefined(Predefined),
    /// One of the cluster, with the view it was found in.
    OfCluster(Box<View>, Arc<model::Network>),
}

impl Found {
    /// Shows the network, without who is on it.
    pub fn shown(&self) -> json::NetworkInspect {
        match self {
            Self::OfHost(network) => (**network).clone(),
            Self::Predefined(network) => json::NetworkInspect::predefined(*network),
            Self::OfCluster(_, network) => json::NetworkInspect::new(network),
        }
    }
}

/// Claims that every host has a network of this name.
pub(super) fn is_predefined(name: &str) -> bool {
    matches!(name, "bridge" | "host" | "none")
}

/// Claims that a network of this host or of the cluster has the name.
pub(super) async fn is_name_taken(app: &App, name: &str) -> Result<bool, ApiError> {
    if app.engine.networks().await?.iter().any(|network| network.name == name) {
        return Ok(true);
    }
    let Some(control) = app.engine.membership().control else { return Ok(false) };
    Ok(control.current().await?.network_by_name(name).is_some())
}

/// Finds a network by its id, its name or the beginning of its id, in this order; of two with the same one, that of the
/// host counts. The scope `swarm` or `local` leaves the other out.
pub(super) async fn find(app: &App, text: &str, scope: &str) -> Result<Found, ApiError> {
    let mut candidates = Vec::new();
    if matches!(scope, "" | "local") {
        let local = app.engine.networks().await?.into_iter();
        candidates.extend(local.map(|network| Candidate::new(Found::OfHost(Box::new(network)))));
    }
    let control = app.engine.membership().control.filter(|_| matches!(scope, "" | "swarm"));
    if let Some(control) = control {
        let view = control.current().await?;
        let networks: Vec<Arc<model::Network>> = view.networks().cloned().collect();
        candidates.extend(Predefined::ALL.map(|network| Candidate::new(Found::Predefined(network))));
        candidates.extend(
            networks
                .into_iter()
                .map(|network| Candidate::new(Found::OfCluster(Box::new(view.clone()), network))),
        );
    }
    pick(candidates, text)
}

struct Candidate {
    found: Found,
    id: String,
    name: String,
}

impl Candidate {
    fn new(found: Found) -> Self {
        let (id, name) = match &found {
            Found::OfHost(network) => (network.id.clone(), network.name.clone()),
            Found::Predefined(network) => (network.id().to_string(), network.name().to_owned()),
            Found::OfCluster(_, network) => (network.id.to_string(), network.spec.name.clone()),
        };
        Self { found, id, name }
    }
}

fn pick(mut candidates: Vec<Candidate>, text: &str) -> Result<Found, ApiError> {
    let exact = candidates.iter().position(|candidate| candidate.id == text);
    let exact = exact.or_else(|| candidates.iter().position(|candidate| candidate.name == text));
    if let Some(at) = exact {
        return Ok(candidates.swap_remove(at).found);
    }
    candidates.retain(|candidate| !text.is_empty() && candidate.id.starts_with(text));
    match candidates.len() {
        0 => Err(ApiError::not_found(format!("network {text} not found"))),
        1 => Ok(candidates.swap_remove(0).found),
        several => Err(ApiError::bad_request(format!(
            "network {text} is ambiguous ({several} matches found based on ID prefix)"
        ))),
    }
}
