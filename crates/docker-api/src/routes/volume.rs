//! Volumes of this host; as archives, also those of other nodes.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use container_json::{VolumeBody, VolumeList};
use control::find;
use engine_json::ApiVersion;
use http::StatusCode;

use crate::engine::{Onto, VolumeOn};
use crate::error::ApiError;
use crate::pattern;
use crate::request::{Answer, App, Json, Name, Query, Version, bytes};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/prune", post(prune))
        .route("/volumes/{name}", get(inspect).delete(remove))
        // What Docker lacks.
        .route("/drover/volumes/{name}/export", get(export))
        .route("/drover/volumes/{name}/import", post(import))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["dangling", "driver", "label", "name"])?;
    let dangling = filters.flag("dangling")?;
    let used = if dangling.is_some() { used(&app).await? } else { BTreeSet::new() };
    let mut volumes = app.engine.volumes().await?;
    volumes.retain(|volume| {
        dangling.is_none_or(|wanted| wanted != used.contains(&volume.name))
            && filters.is_exactly("driver", &volume.driver)
            && filters.has_labels("label", &volume.labels)
            && filters.is_any("name", |wanted| pattern::is_in(wanted, &volume.name))
    });
    Ok(respond::ok(&VolumeList { volumes, warnings: Vec::new() }))
}

/// Returns the names of volumes that containers have.
async fn used(app: &App) -> Result<BTreeSet<String>, ApiError> {
    let containers = app.engine.containers(false).await?;
    let mounts = containers.into_iter().flat_map(|container| container.mounts);
    Ok(mounts.filter(|mount| mount.kind == "volume").map(|mount| mount.name).collect())
}

async fn inspect(State(app): State<App>, Name(name): Name) -> Answer {
    Ok(respond::ok(&app.engine.volume(&name).await?))
}

async fn create(State(app): State<App>, Json(body): Json<VolumeBody>) -> Answer {
    Ok(respond::json(StatusCode::CREATED, &app.engine.create_volume(body).await?))
}

async fn remove(State(app): State<App>, Name(name): Name, query: Query) -> Answer {
    app.engine.remove_volume(&name, query.flag("force")).await?;
    Ok(respond::no_content())
}

async fn prune(State(app): State<App>, query: Query, Version(version): Version) -> Answer {
    let mut filters = query.filters(&["label", "label!", "all"])?;
    if version < ApiVersion::new(1, 42) && !filters.has("all") {
        filters.add("all", "true");
    }
    Ok(respond::ok(&app.engine.prune_volumes(filters).await?))
}

async fn export(State(app): State<App>, Name(name): Name, query: Query) -> Answer {
    let volume = place(&app, name, query.text("node")).await?;
    Ok(respond::archive("application/x-tar", app.engine.export_volume(&volume).await?))
}

async fn import(State(app): State<App>, Name(name): Name, query: Query, body: Body) -> Answer {
    let volume = place(&app, name, query.text("node")).await?;
    let onto = if query.flag("merge") { Onto::Anything } else { Onto::Nothing };
    app.engine.import_volume(&volume, onto, bytes(body)).await?;
    Ok(respond::empty())
}

/// Finds the node that is named; this host is one of them, and needs no cluster for it.
async fn place(app: &App, name: String, node: &str) -> Result<VolumeOn, ApiError> {
    let membership = app.engine.membership();
    let own = membership.node;
    let is_own = own.is_some_and(|own| own.to_string() == node);
    // A worker knows no other names than its own.
    let is_own = is_own || membership.control.is_none() && app.engine.info().await.name == node;
    if node.is_empty() || is_own {
        return Ok(VolumeOn { name, node: None });
    }
    let found = find::node(&app.control()?.current().await?, node)?.id;
    let node = (own != Some(found)).then(|| (found, node.to_owned()));
    Ok(VolumeOn { name, node })
}
