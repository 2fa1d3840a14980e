//! Networks: those of this host, and on a manager those of the cluster.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use container_json::{NetworkConnect, NetworkDisconnect, NetworksPruned};
use engine_json as json;
use http::StatusCode;
use model::NetworkSpec;

use super::network_found::{self, Found, is_predefined};
use super::{network_list, network_use};
use crate::error::{ApiError, Status};
use crate::moment;
use crate::request::{Answer, App, Json, Name, Query};
use crate::respond;

/// The label of containers that run for a service.
const SERVICE_LABEL: &str = "com.docker.swarm.service.name";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/networks", get(network_list::list))
        .route("/networks/", get(network_list::list))
        .route("/networks/create", post(create))
        .route("/networks/prune", post(prune))
        .route("/networks/{id}", get(inspect).delete(remove))
        .route("/networks/{id}/connect", post(connect))
        .route("/networks/{id}/disconnect", post(disconnect))
}

async fn inspect(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let found = network_found::find(&app, &id, query.text("scope")).await?;
    let containers = app.engine.containers(false).await?;
    let mut shown = found.shown();
    shown.containers = network_use::containers(&containers, &shown.id);
    if let Found::OfCluster(view, network) = &found
        && query.flag("verbose")
    {
        shown.services = network_use::services(view, network);
        shown.peers = network_use::peers(view, network);
    }
    Ok(respond::ok(&shown))
}

async fn create(State(app): State<App>, Json(body): Json<json::NetworkCreate>) -> Answer {
    if is_predefined(&body.name) {
        let text = format!("operation is not permitted on predefined {} network", body.name);
        return Err(ApiError::new(Status::Forbidden, text));
    }
    if body.config_only || body.config_from.as_ref().is_some_and(|from| !from.network.is_empty()) {
        return Err(ApiError::not_supported("networks that only hold settings for others are not supported"));
    }
    if network_found::is_name_taken(&app, &body.name).await? {
        let text = format!("network with name {} already exists", body.name);
        return Err(ApiError::new(Status::Conflict, text));
    }
    let created = if is_for_cluster(&body)? {
        create_in_cluster(&app, body).await?
    } else {
        app.engine.create_network(body).await?
    };
    Ok(respond::json(StatusCode::CREATED, &created))
}

/// Claims that a network is to be one of the cluster.
fn is_for_cluster(body: &json::NetworkCreate) -> Result<bool, ApiError> {
    match (body.scope.as_str(), body.driver.as_str()) {
        ("swarm", _) => Ok(true),
        ("" | "global", driver) => Ok(driver == "overlay" || body.ingress),
        ("local", "overlay") => {
            Err(ApiError::bad_request("an overlay network cannot have the scope local: leave out --scope"))
        }
        ("local", _) => Ok(false),
        (other, _) => Err(ApiError::bad_request(format!("invalid scope {other:?}: use local or swarm"))),
    }
}

async fn create_in_cluster(app: &App, body: json::NetworkCreate) -> Result<json::NetworkCreated, ApiError> {
    let control = app.control().map_err(|refused| ApiError { status: Status::Forbidden, ..refused })?;
    if body.enable_ipv6 == Some(true) {
        return Err(ApiError::not_supported(
            "IPv6 is not supported in networks of the cluster: leave out --ipv6",
        ));
    }
    let mut spec = NetworkSpec::try_from(body)?;
    if spec.driver.is_empty() {
        spec.driver = if spec.ingress { "overlay" } else { "bridge" }.to_owned();
    }
    spec.validate()?;
    let id = control.create_network(spec).await?;
    Ok(json::NetworkCreated { id: id.to_string(), warning: String::new() })
}

async fn remove(State(app): State<App>, Name(id): Name) -> Answer {
    match network_found::find(&app, &id, "").await? {
        Found::OfHost(network) if is_predefined(&network.name) => {
            let text = format!("{} is a pre-defined network and cannot be removed", network.name);
            return Err(ApiError::new(Status::Forbidden, text));
        }
        Found::OfHost(network) => app.engine.remove_network(&network.id).await?,
        Found::Predefined(network) => {
            let (name, id) = (network.name(), network.id());
            let text = format!(
                "rpc error: code = FailedPrecondition desc = predefined network {name} ({id}) cannot be removed"
            );
            return Err(ApiError::bad_request(text));
        }
        Found::OfCluster(_, network) => {
            app.control()?.remove_network(&network.id.to_string()).await?;
        }
    }
    Ok(respond::no_content())
}

async fn prune(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["until", "label", "label!"])?;
    let until = match filters.values("until") {
        [] => None,
        [until] => {
            let time = json::Time::from_filter(until, moment::now().into());
            Some(time.map_err(|error| ApiError::bad_request(format!("invalid filter 'until': {error}")))?)
        }
        _ => return Err(ApiError::bad_request("more than one until filter specified")),
    };
    let mut networks_deleted = app.engine.prune_networks(filters.clone()).await?;
    if let Some(control) = app.engine.membership().control {
        let is_wanted = |network: &model::Network| {
            until.is_none_or(|until| json::Time::from(network.meta.created_at) <= until)
                && filters.has_labels("label", &network.spec.labels)
                && !(filters.has("label!") && filters.has_labels("label!", &network.spec.labels))
        };
        networks_deleted.extend(control.prune_networks(is_wanted).await?);
    }
    Ok(respond::ok(&NetworksPruned { networks_deleted }))
}

async fn connect(State(app): State<App>, Name(id): Name, Json(body): Json<NetworkConnect>) -> Answer {
    match network_found::find(&app, &id, "").await? {
        Found::OfHost(network) => app.engine.connect_network(&network.id, body).await?,
        Found::Predefined(network) => return Err(refused_for_services(network.name())),
        Found::OfCluster(_, network) => {
            refuse_service(&app, &body.container, &network.spec.name).await?;
            return Err(not_attached(&network));
        }
    }
    Ok(respond::empty())
}

async fn disconnect(State(app): State<App>, Name(id): Name, Json(body): Json<NetworkDisconnect>) -> Answer {
    match network_found::find(&app, &id, "").await? {
        Found::OfHost(network) => app.engine.disconnect_network(&network.id, body).await?,
        Found::Predefined(network) => return Err(refused_for_services(network.name())),
        Found::OfCluster(_, network) => {
            let name = &network.spec.name;
            refuse_service(&app, &body.container, name).await?;
            let text = format!("container {} is not connected to network {name}", body.container);
            return Err(ApiError::new(Status::Forbidden, text));
        }
    }
    Ok(respond::empty())
}

/// Refuses a container that runs for a service: its networks are the service's.
async fn refuse_service(app: &App, container: &str, network: &str) -> Result<(), ApiError> {
    let container = app.engine.container(container, false).await?;
    let Some(service) = container.config.labels.get(SERVICE_LABEL) else { return Ok(()) };
    let text = format!(
        "container {} is a task of service {service} and has the service's networks: use service update \
         --network-add or --network-rm {network}",
        container.name.trim_start_matches('/')
    );
    Err(ApiError::new(Status::Forbidden, text))
}

fn not_attached(network: &model::Network) -> ApiError {
    let name = &network.spec.name;
    if network.spec.attachable {
        return ApiError::not_supported(format!(
            "attaching containers to networks of the cluster such as {name} is not supported: use a service"
        ));
    }
    let text = format!(
        "Could not attach to network {name}: rpc error: code = PermissionDenied desc = network {name} not manually attachable"
    );
    ApiError::new(Status::Forbidden, text)
}

fn refused_for_services(name: &str) -> ApiError {
    let text =
        format!("the {name} network of the cluster is for services alone: name this host's by its own id");
    ApiError::new(Status::Forbidden, text)
}
