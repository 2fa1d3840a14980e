//! The stream of what happens to this host's objects and to the cluster's.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use engine_json as json;
use futures_util::stream::{self, Fuse, StreamExt};
use tokio::time::Instant;

use super::cluster_events::ClusterEvents;
use crate::engine::EventStream;
use crate::moment;
use crate::request::{Answer, App, Query};
use crate::respond;

/// Filters that name an object of their kind.
const OBJECTS: [&str; 9] =
    ["container", "network", "volume", "plugin", "daemon", "service", "node", "secret", "config"];
const FILTERS: [&str; 14] = [
    "type",
    "event",
    "scope",
    "label",
    "image",
    "container",
    "network",
    "volume",
    "plugin",
    "daemon",
    "service",
    "node",
    "secret",
    "config",
];

pub(super) fn routes() -> Router<App> {
    Router::new().route("/events", get(events))
}

async fn events(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&FILTERS)?;
    let until = query.time("until")?;
    let watcher = Watcher {
        local: app.engine.events(query.time("since")?).fuse(),
        cluster: ClusterEvents::watch(app),
        filters,
        until: until.map(|until| (until, Instant::now() + until.since(moment::now().into()))),
    };
    Ok(respond::stream("application/json", stream::unfold(watcher, next)))
}

struct Watcher {
    local: Fuse<EventStream>,
    cluster: ClusterEvents,
    filters: json::Filters,
    until: Option<(json::Time, Instant)>,
}

async fn next(mut watcher: Watcher) -> Option<(Bytes, Watcher)> {
    let event = match watcher.until {
        // What is there already comes first, however long ago the last moment is.
        Some((_, deadline)) => tokio::time::timeout_at(deadline, watcher.wanted()).await.ok()?,
        None => watcher.wanted().await,
    };
    let mut line = serde_json::to_vec(&event).expect("strings and numbers are always JSON");
    line.push(b'\n');
    Some((line.into(), watcher))
}

impl Watcher {
    /// Returns the next event that is wanted.
    async fn wanted(&mut self) -> json::Event {
        loop {
            let event = tokio::select! {
                biased;
                Some(event) = self.local.next() => event,
                event = self.cluster.next() => event,
            };
            let is_late = self.until.is_some_and(|(until, _)| event.time_nano > until.nanoseconds());
            if !is_late && is_wanted(&event, &self.filters) {
                return event;
            }
        }
    }
}

fn is_wanted(event: &json::Event, filters: &json::Filters) -> bool {
    let name = event.actor.attributes.get("name").map_or("", String::as_str);
    let is_object = |kind: &str| {
        !filters.has(kind)
            || (event.kind == kind
                && filters
                    .is_any(kind, |wanted| name.starts_with(wanted) || event.actor.id.starts_with(wanted)))
    };
    filters.is_exactly("type", &event.kind)
        && filters.is_any("event", |wanted| is_action(wanted, &event.action))
        && filters.is_exactly("scope", &event.scope)
        && filters.has_labels("label", &event.actor.attributes)
        && filters.is_any("image", |wanted| is_of_image(event, wanted))
        && OBJECTS.into_iter().all(is_object)
}

/// Matches an action; some are wanted without what stands behind their colon.
fn is_action(wanted: &str, action: &str) -> bool {
    wanted == action || action.split_once(':').is_some_and(|(before, _)| wanted == before)
}

/// Matches events of an image, and those of containers of it, with and without the tag.
fn is_of_image(event: &json::Event, wanted: &str) -> bool {
    let key = if event.kind == "image" { "name" } else { "image" };
    let name = event.actor.attributes.get(key).map_or("", String::as_str);
    let is = |text: &str| {
        let has_tag = text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        text == wanted || has_tag.is_some_and(|(repository, _)| repository == wanted)
    };
    is(name) || (event.kind == "image" && is(&event.actor.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &json::Event, filters: &str, expected: bool) {
        assert_eq!(is_wanted(event, &json::Filters::parse(filters).unwrap()), expected, "{filters}");
    }

    #[test]
    fn filters_match_as_dockers_do() {
        let attributes = [("name", "web"), ("image", "reg:5000/nginx:1"), ("tier", "front")];
        let event = json::Event {
            kind: "container".into(),
            action: "health_status: healthy".into(),
            actor: json::Actor {
                id: "c0ffee".into(),
                attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            },
            scope: "local".into(),
            ..json::Event::default()
        };

        for (filters, expected) in [
            (r#"{"type":["container"]}"#, true),
            (r#"{"type":["image","volume"]}"#, false),
            (r#"{"event":["health_status"]}"#, true),
            (r#"{"event":["health_status: healthy"]}"#, true),
            (r#"{"event":["die"]}"#, false),
            (r#"{"container":["web"]}"#, true),
            (r#"{"container":["c0f"]}"#, true),
            (r#"{"container":["db"]}"#, false),
            (r#"{"volume":["web"]}"#, false),
            (r#"{"image":["reg:5000/nginx"]}"#, true),
            (r#"{"image":["reg:5000/nginx:1"]}"#, true),
            (r#"{"image":["nginx"]}"#, false),
            (r#"{"label":["tier=front"]}"#, true),
            (r#"{"label":["tier=back"]}"#, false),
            (r#"{"scope":["swarm"]}"#, false),
            (r#"{"type":["container"],"event":["die","health_status"]}"#, true),
        ] {
            check(&event, filters, expected);
        }
    }
}
