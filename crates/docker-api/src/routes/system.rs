//! Ping, version, info.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use engine_json as json;
use http::{HeaderName, HeaderValue, header};
use model::Role;

use crate::engine::{LocalState, Membership, UsageOf};
use crate::error::ApiError;
use crate::request::{Answer, App, Json, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/_ping", get(ping).head(ping_head))
        .route("/version", get(version))
        .route("/info", get(info))
        .route("/system/df", get(disk_usage))
        .route("/auth", post(login))
}

async fn ping() -> Response {
    let mut response = Response::new(json::ping::BODY.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(json::ping::CONTENT_TYPE));
    for (name, value) in json::ping::HEADERS {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

async fn ping_head() -> Response {
    let mut response = ping().await;
    *response.body_mut() = Body::empty();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// Returns what the `Swarm` header of a ping says.
pub(crate) fn swarm_header(membership: &Membership) -> String {
    match membership.state {
        LocalState::Active if membership.control.is_some() => "active/manager".into(),
        LocalState::Active => "active/worker".into(),
        LocalState::Inactive | LocalState::Pending | LocalState::Error => membership.state.as_str().into(),
    }
}

async fn version(State(app): State<App>) -> Response {
    respond::ok(&app.engine.version())
}

async fn info(State(app): State<App>) -> Answer {
    let mut info = app.engine.info().await;
    info.swarm = swarm_info(&app.engine.membership());
    Ok(respond::ok(&info))
}

async fn disk_usage(State(app): State<App>, query: Query) -> Answer {
    let kinds = query.all("type");
    let known = ["container", "image", "volume", "build-cache"];
    if let Some(unknown) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        return Err(ApiError::bad_request(format!("unknown object type: {unknown}")));
    }
    let wants = |kind: &str| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind);
    let [containers, images, volumes, build_cache] = known.map(wants);
    let usage = app.engine.disk_usage(UsageOf { images, containers, volumes, build_cache }).await?;
    Ok(respond::ok(&usage))
}

async fn login(State(app): State<App>, Json(auth): Json<json::RegistryAuth>) -> Answer {
    Ok(respond::ok(&app.engine.login(auth).await?))
}

fn swarm_info(membership: &Membership) -> json::SwarmInfo {
    let mut info = json::SwarmInfo {
        node_id: membership.node.map(|node| node.to_string()).unwrap_or_default(),
        node_addr: membership.address.clone(),
        local_node_state: membership.state.as_str().into(),
        control_available: membership.control.is_some(),
        error: membership.error.clone(),
        ..json::SwarmInfo::default()
    };
    if membership.state == LocalState::Active {
        let managers = membership.managers.iter();
        info.remote_managers = Some(
            managers
                .map(|(node_id, addr)| json::Peer { node_id: node_id.clone(), addr: addr.clone() })
                .collect(),
        );
    }
    if let Some(control) = &membership.control {
        let view = control.view();
        info.nodes = view.node_count() as u64;
        info.managers = view.nodes().filter(|node| node.role == Role::Manager).count() as u64;
        info.cluster =
            view.cluster().map(|cluster| json::ClusterInfo::new(cluster, super::swarm::tls_info(cluster)));
        if info.managers == 2 {
            info.warnings.push(
                "WARNING: Running Swarm in a two-manager configuration. This configuration provides no fault tolerance, and poses a high risk to lose control over the cluster."
                    .into(),
            );
        }
    }
    info
}
