//! Tasks.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use control::find;
use engine_json as json;
use model::{Spec, Task, TaskState};
use store::View;

use crate::error::ApiError;
use crate::request::{Answer, App, Name, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/tasks", get(list)).route("/tasks/{id}", get(inspect))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let view = app.control()?.listed().await?;
    let filters = query.filters(&[
        "id",
        "name",
        "label",
        "service",
        "node",
        "desired-state",
        "runtime",
        "_up-to-date",
    ])?;
    let wanted = Wanted::read(&view, &filters)?;
    let tasks: Vec<json::Task> = view
        .tasks()
        .filter_map(|task| Some((task, view.spec(task.spec_id())?)))
        .filter(|(task, spec)| wanted.has(&view, task, spec))
        .map(|(task, spec)| shown(&view, task, spec))
        .collect();
    Ok(respond::ok(&tasks))
}

async fn inspect(State(app): State<App>, Name(id): Name) -> Answer {
    let view = app.control()?.current().await?;
    let task = find::task(&view, &id)?;
    let spec =
        view.spec(task.spec_id()).ok_or_else(|| ApiError::not_found(format!("task {id} not found")))?;
    Ok(respond::ok(&shown(&view, task, spec)))
}

fn shown(view: &View, task: &Task, spec: &Spec) -> json::Task {
    json::Task::new(task, spec, &|network| view.network(network).map(|network| &**network))
}

/// What a list of tasks is narrowed to.
struct Wanted<'a> {
    filters: &'a json::Filters,
    services: Option<Vec<String>>,
    nodes: Option<Vec<String>>,
    up_to_date: Option<bool>,
}

impl<'a> Wanted<'a> {
    fn read(view: &View, filters: &'a json::Filters) -> Result<Self, ApiError> {
        for state in filters.values("desired-state") {
            if !TaskState::ALL.iter().any(|known| known.as_str() == state) {
                return Err(ApiError::internal(format!("Invalid desired-state filter: '{state}'")));
            }
        }
        // Names stand for ids; what is not found as either is kept as the beginning of an id.
        let service = |text: &String| {
            find::service(view, text).map_or_else(|_| text.clone(), |service| service.id.to_string())
        };
        let node =
            |text: &String| find::node(view, text).map_or_else(|_| text.clone(), |node| node.id.to_string());
        Ok(Self {
            filters,
            services: filters.has("service").then(|| filters.values("service").iter().map(service).collect()),
            nodes: filters.has("node").then(|| filters.values("node").iter().map(node).collect()),
            up_to_date: filters.flag("_up-to-date")?,
        })
    }

    fn has(&self, view: &View, task: &Task, spec: &Spec) -> bool {
        let service = view.service(task.service);
        let is_up_to_date = || service.is_some_and(|service| service.spec_version == task.spec_version);
        self.filters.is_prefix("id", &task.id.to_string())
            && self.filters.is_prefix("name", &name(task, spec))
            && self.filters.has_labels("label", &spec.service_labels)
            && self.filters.is_exactly("runtime", "container")
            && is_among(self.services.as_deref(), &task.service.to_string())
            && is_among(self.nodes.as_deref(), &task.node.map(|node| node.to_string()).unwrap_or_default())
            && self.filters.is_any("desired-state", |wanted| task.desired.as_str() == wanted)
            && self.up_to_date.is_none_or(|wanted| wanted == is_up_to_date())
    }
}

fn is_among(wanted: Option<&[String]>, id: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(|wanted| id.starts_with(wanted.as_str())))
}

/// Composes a task's name, which clients compose likewise as far as they show it.
fn name(task: &Task, spec: &Spec) -> String {
    format!("{}.{}.{}", spec.service_name, task.slot, task.id)
}
