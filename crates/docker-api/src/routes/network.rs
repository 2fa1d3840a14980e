//! Networks of the cluster.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use control::find;
use engine_json as json;
use store::View;

use crate::error::ApiError;
use crate::request::{Answer, App, Name, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/", get(list))
        .route("/networks/{id}", get(inspect))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["name", "id", "driver", "label", "scope", "type", "dangling"])?;
    let dangling = filters.flag("dangling")?;
    // A host outside a cluster, or a worker, knows no networks of the cluster; the list is empty then.
    let Some(control) = app.engine.membership().control else {
        return Ok(respond::ok(&Vec::<json::NetworkInspect>::new()));
    };
    let view = control.listed().await?;
    let networks = view.networks().filter(|network| {
        filters.is_any("name", |wanted| network.spec.name.contains(wanted))
            && filters.is_prefix("id", &network.id.to_string())
            && filters.is_exactly("driver", "overlay")
            && filters.has_labels("label", &network.spec.labels)
            && filters.is_exactly("scope", "swarm")
            && filters.is_any("type", |wanted| wanted == "custom")
            && dangling.is_none_or(|wanted| wanted != is_used(&view, network))
    });
    Ok(respond::ok(&networks.map(|network| json::NetworkInspect::new(network)).collect::<Vec<_>>()))
}

fn is_used(view: &View, network: &model::Network) -> bool {
    let id = network.id.to_string();
    let uses = |service: &model::Service| service.spec.task.networks.iter().any(|used| used.target == id);
    network.spec.ingress || view.services().any(|service| uses(service))
}

async fn inspect(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let not_found = || ApiError::not_found(format!("network {id} not found"));
    if !matches!(query.text("scope"), "" | "swarm") {
        return Err(not_found());
    }
    let control = app.engine.membership().control.ok_or_else(not_found)?;
    let view = control.current().await?;
    let network = find::network(&view, &id)?;
    Ok(respond::ok(&json::NetworkInspect::new(network)))
}
