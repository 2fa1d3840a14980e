//! Nodes.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use control::find;
use engine_json as json;
use store::View;

use crate::error::ApiError;
use crate::request::{Answer, App, Json, Name, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/nodes", get(list))
        .route("/nodes/{id}", get(inspect).delete(remove))
        .route("/nodes/{id}/update", post(update))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let control = app.control()?;
    let filters = query.filters(&["id", "name", "label", "node.label", "role", "membership"])?;
    for (key, known) in [("role", ["worker", "manager"]), ("membership", ["accepted", "pending"])] {
        if let Some(unknown) = filters.values(key).iter().find(|value| !known.contains(&value.as_str())) {
            return Err(ApiError::internal(format!("Invalid {key} filter: '{unknown}'")));
        }
    }
    let view = control.listed().await?;
    let nodes = view.nodes().filter(|node| matches(node, &filters));
    Ok(respond::ok(&nodes.map(|node| shown(&control, &view, node)).collect::<Vec<_>>()))
}

fn matches(node: &model::Node, filters: &json::Filters) -> bool {
    let described = node.description.as_deref();
    let hostname = described.map_or("", |described| described.hostname.as_str());
    let name = if node.spec.name.is_empty() { hostname } else { node.spec.name.as_str() };
    filters.is_prefix("id", &node.id.to_string())
        && (filters.is_prefix("name", name) || filters.is_prefix("name", hostname))
        && filters
            .has_labels("label", described.map_or(&Default::default(), |described| &described.engine.labels))
        && filters.has_labels("node.label", &node.spec.labels)
        && filters.is_exactly("role", node.spec.role.as_str())
        && filters.is_exactly("membership", "accepted")
}

async fn inspect(State(app): State<App>, Name(id): Name) -> Answer {
    let control = app.control()?;
    let view = control.current().await?;
    let node = find::node(&view, &id)?;
    Ok(respond::ok(&shown(&control, &view, node)))
}

async fn update(
    State(app): State<App>,
    Name(id): Name,
    query: Query,
    Json(spec): Json<json::NodeSpec>,
) -> Answer {
    let control = app.control()?;
    let version = query.version("node")?;
    let id = find::node(&control.current().await?, &id)?.id;
    control.update_node(id, version, spec.try_into()?).await?;
    Ok(respond::empty())
}

async fn remove(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.control()?.remove_node(&id, query.flag("force")).await?;
    Ok(respond::empty())
}

/// Returns a node as the API shows it; whether a manager leads and is reachable is asked of the log.
fn shown(control: &control::Control, view: &View, node: &model::Node) -> json::Node {
    let status = control.proposer().status();
    let id = node.id.to_string();
    let member = status.members.iter().find(|member| member.node_id == id);
    let leads = status.leader.as_ref().is_some_and(|leader| leader.node_id == id);
    // Followers hear the leader only; of each other they know what the leader wrote down.
    let is_known_down = !status.is_leader() && node.status.state == model::NodeState::Down;
    let manager = member.map(|member| json::ManagerStatus {
        leader: leads,
        reachability: if member.reachable && !is_known_down { "reachable" } else { "unreachable" }.into(),
        addr: member.address.clone(),
    });
    let tls_info = view.cluster().map(|cluster| super::swarm::tls_info(cluster)).unwrap_or_default();
    json::Node::new(node, manager, tls_info)
}
