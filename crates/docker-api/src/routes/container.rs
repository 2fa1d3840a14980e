//! Containers on this host; all of them are tasks'.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use engine_json as json;

use crate::error::ApiError;
use crate::request::{Answer, App, Name, Query};
use crate::respond;

/// What a list can be narrowed to. Docker knows more keys; a key that would be passed over is refused.
const FILTERS: [&str; 7] = ["ancestor", "id", "is-task", "label", "name", "network", "status"];

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/json", get(list)).route("/containers/{id}/json", get(inspect))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&FILTERS)?;
    let wanted = Wanted {
        // A wish for a state is a wish for ended ones too, as `docker ps --filter status=exited` shows.
        ended: query.flag("all") || filters.has("status") || query.limit()?.is_some(),
        tasks: filters.flag("is-task")?,
        filters,
    };
    let mut containers = app.engine.containers().await?;
    containers.retain(|container| wanted.has(container));
    containers.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    if let Some(limit) = query.limit()? {
        containers.truncate(limit);
    }
    Ok(respond::ok(&containers))
}

async fn inspect(State(app): State<App>, Name(id): Name) -> Answer {
    Ok(respond::ok(&app.engine.container(&id).await?))
}

/// What a list is narrowed to.
struct Wanted {
    ended: bool,
    tasks: Option<bool>,
    filters: json::Filters,
}

impl Wanted {
    fn has(&self, container: &container_json::Summary) -> bool {
        let names = || container.names.iter().map(|name| name.trim_start_matches('/'));
        let networks = || container.network_settings.networks.iter();
        let image = |wanted: &str| {
            let repository = container.image.rsplit_once(':').map_or("", |(repository, _)| repository);
            wanted == container.image || wanted == repository || container.image_id.ends_with(wanted)
        };
        (self.ended || container.state == "running")
            && self
                .tasks
                .is_none_or(|wanted| wanted == container.labels.contains_key("com.docker.swarm.task.id"))
            && self.filters.is_prefix("id", &container.id)
            && self.filters.is_exactly("status", &container.state)
            && self.filters.has_labels("label", &container.labels)
            && self.filters.is_any("ancestor", image)
            && self
                .filters
                .is_any("name", |wanted| names().any(|name| name.contains(wanted.trim_start_matches('/'))))
            && self.filters.is_any("network", |wanted| {
                networks().any(|(name, endpoint)| name == wanted || endpoint.network_id.starts_with(wanted))
            })
    }
}

impl Query {
    /// Returns how many of the latest containers are wanted; `docker ps` writes all as 0 or -1.
    fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.text("limit");
        match text.parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0)),
            Err(_) if text.is_empty() => Ok(None),
            Err(_) => Err(ApiError::bad_request(format!("invalid limit {text:?}: expected a number"))),
        }
    }
}
