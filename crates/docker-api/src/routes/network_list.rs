//! The list of networks, and what it can be narrowed to.

use std::collections::BTreeMap;

use axum::extract::State;
use engine_json as json;

use super::network_found::is_predefined;
use super::network_use;
use crate::error::ApiError;
use crate::pattern;
use crate::request::{Answer, App, Query};
use crate::respond;

pub(super) async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["name", "id", "driver", "label", "scope", "type", "dangling"])?;
    for (key, words) in [("type", &["custom", "builtin"][..]), ("scope", &["local", "swarm", "global"])] {
        if let Some(other) = filters.values(key).iter().find(|value| !words.contains(&value.as_str())) {
            return Err(ApiError::bad_request(format!("invalid filter: '{key}'='{other}'")));
        }
    }
    let dangling = filters.flag("dangling")?;
    let mut networks = with_use(&app).await?;
    networks.retain(|(network, is_used)| {
        is_wanted(network, &filters)
            && dangling.is_none_or(|wanted| wanted != (*is_used || is_predefined(&network.name)))
    });
    let shown: Vec<json::NetworkInspect> = networks.into_iter().map(|(network, _)| network).collect();
    Ok(respond::ok(&shown))
}

/// Returns the networks of this host and of the cluster, and whether somebody uses them.
async fn with_use(app: &App) -> Result<Vec<(json::NetworkInspect, bool)>, ApiError> {
    let containers = app.engine.containers(false).await?;
    let has_containers = |id: &str| network_use::containers(&containers, id) != BTreeMap::new();
    let mut networks = Vec::new();
    for network in app.engine.networks().await? {
        let is_used = has_containers(&network.id);
        networks.push((network, is_used));
    }
    // A host outside a cluster, or a worker, knows no networks of the cluster.
    if let Some(control) = app.engine.membership().control {
        let view = control.listed().await?;
        networks.extend(
            view.networks()
                .map(|network| (json::NetworkInspect::new(network), control::is_used(&view, network))),
        );
    }
    Ok(networks)
}

fn is_wanted(network: &json::NetworkInspect, filters: &json::Filters) -> bool {
    let kind = if is_predefined(&network.name) { "builtin" } else { "custom" };
    filters.is_any("name", |wanted| pattern::is_in(wanted, &network.name))
        && filters.is_any("id", |wanted| pattern::is_in(wanted, &network.id))
        && filters.is_exactly("driver", &network.driver)
        && filters.has_labels("label", &network.labels)
        && filters.is_exactly("scope", &network.scope)
        && filters.is_exactly("type", kind)
}
