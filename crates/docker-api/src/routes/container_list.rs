//! The list of containers, and what it can be narrowed to.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use container_json::{Inspect, Summary};
use engine_json as json;

use crate::error::{ApiError, Status};
use crate::pattern;
use crate::request::{Answer, App, Query};
use crate::respond;

const FILTERS: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];
/// The keys that a summary does not tell enough for.
const IN_DEPTH: [&str; 3] = ["exited", "expose", "health"];

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/json", get(list))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let wanted = Wanted::read(&app, &query).await?;
    let all = app.engine.containers(query.flag("size")).await?;
    let mut shown = Vec::new();
    for container in wanted.between(all)? {
        if shown.len() >= wanted.limit {
            break;
        }
        if wanted.has(&container) && wanted.has_in_depth(&app, &container.id).await? {
            shown.push(container);
        }
    }
    Ok(respond::ok(&shown))
}

/// What a list is narrowed to.
struct Wanted {
    ended: bool,
    limit: usize,
    tasks: Option<bool>,
    /// Ids of the images that `ancestor` names.
    images: Vec<String>,
    filters: json::Filters,
}

impl Wanted {
    async fn read(app: &App, query: &Query) -> Result<Self, ApiError> {
        let mut filters = query.filters(&FILTERS)?;
        for old in ["before", "since"].into_iter().filter(|old| !query.text(old).is_empty()) {
            filters.add(old, query.text(old));
        }
        check(&filters, "status", &STATES)?;
        check(&filters, "health", &HEALTHS)?;
        // 0 and below mean all, as `docker ps` writes it.
        let limit = query.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| *limit > 0);
        let mut images = Vec::new();
        for name in filters.values("ancestor") {
            if let Ok(image) = app.engine.image(name).await {
                images.push(image.id);
            }
        }
        Ok(Self {
            // A wish for a state is a wish for ended ones too, as `docker ps --filter status=exited` shows.
            ended: query.flag("all") || filters.has("status") || limit.is_some(),
            limit: limit.unwrap_or(usize::MAX),
            tasks: filters.flag("is-task")?,
            images,
            filters,
        })
    }

    /// Returns the containers that were made before one and after another; the list has the latest first.
    fn between(&self, all: Vec<Summary>) -> Result<Vec<Summary>, ApiError> {
        let place = |key: &str| {
            let Some(name) = self.filters.values(key).first() else { return Ok(None) };
            let found = all.iter().position(|container| is_named(container, name));
            found.map(Some).ok_or_else(|| ApiError::not_found(format!("No such container: {name}")))
        };
        let (before, since) = (place("before")?, place("since")?);
        let wanted =
            |at: usize| before.is_none_or(|before| at > before) && since.is_none_or(|since| at < since);
        Ok(all
            .into_iter()
            .enumerate()
            .filter(|(at, _)| wanted(*at))
            .map(|(_, container)| container)
            .collect())
    }

    fn has(&self, container: &Summary) -> bool {
        let is_alive = matches!(container.state.as_str(), "running" | "paused" | "restarting");
        (self.ended || is_alive)
            && self
                .tasks
                .is_none_or(|wanted| wanted == container.labels.contains_key("com.docker.swarm.task.id"))
            && self.filters.is_prefix("id", &container.id)
            && self.filters.is_exactly("status", &container.state)
            && self.filters.is_any("isolation", |wanted| matches!(wanted, "" | "default"))
            && self.filters.has_labels("label", &container.labels)
            && self.filters.is_any("ancestor", |wanted| self.comes_from(container, wanted))
            && self.filters.is_any("name", |wanted| has_name_like(container, wanted))
            && self.filters.is_any("network", |wanted| is_on_network(container, wanted))
            && self.filters.is_any("volume", |wanted| mounts(container, wanted))
            && self.filters.is_any("publish", |wanted| publishes(container, wanted))
    }

    fn comes_from(&self, container: &Summary, wanted: &str) -> bool {
        let repository = container.image.rsplit_once(':').map_or("", |(repository, _)| repository);
        wanted == container.image || wanted == repository || self.images.contains(&container.image_id)
    }

    async fn has_in_depth(&self, app: &App, id: &str) -> Result<bool, ApiError> {
        if !IN_DEPTH.iter().any(|key| self.filters.has(key)) {
            return Ok(true);
        }
        match app.engine.container(id, false).await {
            Ok(container) => Ok(self.has_inside(&container)),
            // It went since it was listed.
            Err(error) if error.status == Status::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn has_inside(&self, container: &Inspect) -> bool {
        let state = &container.state;
        let has_run = !state.started_at.is_zero();
        let health = state.health.as_ref().map_or("none", |health| health.status.as_str());
        let exposed = || container.config.exposed_ports.keys().map(String::as_str);
        self.filters.is_any("exited", |code| !state.running && has_run && state.exit_code.to_string() == code)
            && self.filters.is_exactly("health", health)
            && self.filters.is_any("expose", |wanted| exposed().any(|port| is_among(wanted, port)))
    }
}

fn check(filters: &json::Filters, key: &str, known: &[&str]) -> Result<(), ApiError> {
    match filters.values(key).iter().find(|value| !known.contains(&value.as_str())) {
        Some(bad) => Err(ApiError::bad_request(format!("invalid filter '{key}={bad}'"))),
        None => Ok(()),
    }
}

fn names(container: &Summary) -> impl Iterator<Item = &str> {
    container.names.iter().map(|name| name.trim_start_matches('/'))
}

fn is_named(container: &Summary, name: &str) -> bool {
    container.id.starts_with(name) || names(container).any(|known| known == name.trim_start_matches('/'))
}

/// Matches a name with and without the slash before it, since users write both.
fn has_name_like(container: &Summary, wanted: &str) -> bool {
    container.names.iter().any(|name| pattern::is_in(wanted, name))
        || names(container).any(|name| pattern::is_in(wanted, name))
}

fn is_on_network(container: &Summary, wanted: &str) -> bool {
    let mut networks = container.network_settings.networks.iter();
    networks.any(|(name, place)| name == wanted || place.network_id.starts_with(wanted))
}

fn mounts(container: &Summary, wanted: &str) -> bool {
    container.mounts.iter().any(|mount| mount.name == wanted || mount.destination == wanted)
}

fn publishes(container: &Summary, wanted: &str) -> bool {
    let mut published = container.ports.iter().filter(|port| port.public_port != 0);
    published.any(|port| is_among(wanted, &format!("{}/{}", port.public_port, port.kind)))
}

/// Claims that a port such as `80/tcp` is the one, or among those, of `80`, `80/tcp` or `80-90/tcp`.
fn is_among(wanted: &str, port: &str) -> bool {
    let (range, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (number, of) = port.split_once('/').unwrap_or((port, "tcp"));
    let (Ok(first), Ok(last), Ok(number)) = (first.parse::<u16>(), last.parse(), number.parse()) else {
        return false;
    };
    of.eq_ignore_ascii_case(protocol) && (first..=last).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_single_or_ranges() {
        for (wanted, port, expected) in [
            ("80", "80/tcp", true),
            ("80/tcp", "80/tcp", true),
            ("80/udp", "80/tcp", false),
            ("80-90", "85/tcp", true),
            ("80-90/udp", "91/udp", false),
            ("x", "80/tcp", false),
        ] {
            assert_eq!(is_among(wanted, port), expected, "{wanted} {port}");
        }
    }
}
