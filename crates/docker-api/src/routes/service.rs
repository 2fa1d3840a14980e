//! Services.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use control::find;
use engine_json as json;
use http::StatusCode;
use model::{Mode, NetworkId, TaskState};
use store::View;

use super::network_found::{self, Found, is_predefined};
use crate::error::{ApiError, Status};
use crate::request::{Answer, App, Json, Name, Query, Version};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/services", get(list))
        .route("/services/create", post(create))
        .route("/services/{id}", get(inspect).delete(remove))
        .route("/services/{id}/update", post(update))
}

async fn list(State(app): State<App>, query: Query, Version(version): Version) -> Answer {
    let view = app.control()?.listed().await?;
    let with_status = query.flag("status") && version >= json::ApiVersion::new(1, 41);
    let filters = query.filters(&["id", "name", "label", "mode", "runtime"])?;
    let services = view.services().filter(|service| matches(service, &filters));
    let shown = services.map(|service| {
        let mut shown = json::Service::new(service, &prefix_of(&view));
        shown.service_status = with_status.then(|| status(&view, service));
        shown
    });
    Ok(respond::ok(&shown.collect::<Vec<_>>()))
}

fn matches(service: &model::Service, filters: &json::Filters) -> bool {
    filters.is_prefix("id", &service.id.to_string())
        && filters.is_prefix("name", &service.spec.name)
        && filters.has_labels("label", &service.spec.labels)
        && filters.is_exactly("mode", mode(&service.spec.mode))
        && filters.is_exactly("runtime", "container")
}

fn mode(mode: &Mode) -> &'static str {
    match mode {
        Mode::Replicated { .. } => "replicated",
        Mode::Global => "global",
        Mode::ReplicatedJob { .. } => "replicated-job",
        Mode::GlobalJob => "global-job",
    }
}

/// Counts a service's tasks as `service ls` shows them: running is what was observed, whatever is desired.
fn status(view: &View, service: &model::Service) -> json::ServiceStatus {
    let count = |is: &dyn Fn(&model::Task) -> bool| {
        view.tasks_of_service(service.id).filter(|task| is(task)).count() as u64
    };
    let desired_tasks = match &service.spec.mode {
        Mode::Replicated { replicas } => *replicas,
        Mode::ReplicatedJob { max_concurrent, .. } => *max_concurrent,
        Mode::Global => count(&|task| task.desired == TaskState::Running),
        Mode::GlobalJob => {
            count(&|task| task.desired == TaskState::Complete && task.status.state != TaskState::Complete)
        }
    };
    json::ServiceStatus {
        running_tasks: count(&|task| task.status.state == TaskState::Running),
        desired_tasks,
        completed_tasks: count(&|task| task.status.state == TaskState::Complete),
    }
}

fn prefix_of(view: &View) -> impl Fn(NetworkId) -> Option<u8> {
    |network| view.network(network).and_then(|network| network.subnet).map(|subnet| subnet.prefix)
}

async fn inspect(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let view = app.control()?.current().await?;
    let service = find::service(&view, &id)?;
    let mut shown = json::Service::new(service, &prefix_of(&view));
    if query.flag("insertDefaults") {
        shown.spec.insert_defaults();
    }
    Ok(respond::ok(&shown))
}

async fn create(
    State(app): State<App>,
    Version(version): Version,
    Json(spec): Json<json::ServiceSpec>,
) -> Answer {
    let control = app.control()?;
    let mut spec = accepted(spec, version)?;
    if spec.name.is_empty() {
        spec.name = invented_name(&control.view());
    }
    let mut spec: model::ServiceSpec = spec.try_into()?;
    only_networks_for_services(&app, &mut spec).await?;
    let id = control.create_service(spec).await?;
    let created = json::ServiceCreated { id: id.to_string(), warnings: None };
    Ok(respond::json(StatusCode::CREATED, &created))
}

async fn update(
    State(app): State<App>,
    Name(id): Name,
    query: Query,
    Version(version): Version,
    Json(spec): Json<json::ServiceSpec>,
) -> Answer {
    let control = app.control()?;
    let based_on = query.version("service")?;
    let id = find::service(&control.current().await?, &id)?.id;
    match query.text("rollback") {
        "" => {
            let mut spec: model::ServiceSpec = accepted(spec, version)?.try_into()?;
            only_networks_for_services(&app, &mut spec).await?;
            control.update_service(id, based_on, spec).await?;
        }
        "previous" => control.rollback_service(id, based_on).await?,
        other => return Err(ApiError::bad_request(format!("unrecognized rollback option {other}"))),
    }
    Ok(respond::ok(&json::ServiceUpdated::default()))
}

async fn remove(State(app): State<App>, Name(id): Name) -> Answer {
    app.control()?.remove_service(&id).await?;
    Ok(respond::empty())
}

/// Refuses networks that are this host's alone. Those that every host has are known to the cluster by their names.
async fn only_networks_for_services(app: &App, spec: &mut model::ServiceSpec) -> Result<(), ApiError> {
    for wish in &mut spec.task.networks {
        match network_found::find(app, &wish.target, "").await {
            Ok(Found::OfHost(network)) if is_predefined(&network.name) => wish.target = network.name,
            Ok(Found::OfHost(network)) => {
                let text = format!(
                    "The network {} cannot be used with services. Only networks scoped to the swarm can be used, such \
                     as those created with the overlay driver.",
                    network.name
                );
                return Err(ApiError::new(Status::Forbidden, text));
            }
            // What is not there, or is not one, is for the cluster to tell.
            Ok(Found::Predefined(_) | Found::OfCluster(..)) | Err(_) => {}
        }
    }
    Ok(())
}

/// Drops what the client's version does not have, and refuses what cannot be honoured.
fn accepted(mut spec: json::ServiceSpec, version: json::ApiVersion) -> Result<json::ServiceSpec, ApiError> {
    json::gate(&mut spec, version);
    let Some(container) = &spec.task_template.container_spec else {
        return Err(ApiError::bad_request(
            "TaskTemplate.ContainerSpec is missing: only services of containers can be run",
        ));
    };
    if let Some(secret) = container.secrets.first() {
        return Err(ApiError::bad_request(format!("secret not found: {}", secret.secret_name)));
    }
    if let Some(config) = container.configs.first() {
        return Err(ApiError::bad_request(format!("config not found: {}", config.config_name)));
    }
    let runtime = spec.task_template.runtime.as_str();
    if !matches!(runtime, "" | "container") {
        return Err(ApiError::new(
            Status::NotImplemented,
            format!("runtime {runtime} is not supported: use container"),
        ));
    }
    Ok(spec)
}

/// Invents a free name for a service that was given none.
fn invented_name(view: &View) -> String {
    const QUALITIES: [&str; 12] = [
        "brisk", "calm", "daring", "eager", "fleet", "gentle", "hardy", "keen", "lively", "merry", "nimble",
        "steady",
    ];
    const DROVERS: [&str; 12] = [
        "alder", "birch", "collie", "drift", "heron", "kestrel", "lark", "moor", "otter", "ridge", "swift",
        "willow",
    ];
    let first = view.index() as usize;
    let names = (first..).map(|n| {
        let (quality, drover) =
            (QUALITIES[n % QUALITIES.len()], DROVERS[n / QUALITIES.len() % DROVERS.len()]);
        let round = n.wrapping_sub(first) / (QUALITIES.len() * DROVERS.len());
        if round == 0 { format!("{quality}_{drover}") } else { format!("{quality}_{drover}{round}") }
    });
    let mut free = names.filter(|name| view.service_by_name(name).is_none());
    free.next().expect("the numbers never end")
}
