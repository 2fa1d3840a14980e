//! Containers on this host: one at a time.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use container_json::{CreateBody, UpdateBody};
use futures_util::stream;
use http::StatusCode;

use crate::engine::{ContainerRemoval, Size, Stop, WaitFor};
use crate::error::ApiError;
use crate::request::{Answer, App, Json, Name, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/containers/create", post(create))
        .route("/containers/prune", post(prune))
        .route("/containers/{id}", delete(remove))
        .route("/containers/{id}/json", get(inspect))
        .route("/containers/{id}/top", get(top))
        .route("/containers/{id}/changes", get(changes))
        .route("/containers/{id}/export", get(export))
        .route("/containers/{id}/start", post(start))
        .route("/containers/{id}/stop", post(stop))
        .route("/containers/{id}/restart", post(restart))
        .route("/containers/{id}/kill", post(kill))
        .route("/containers/{id}/pause", post(pause))
        .route("/containers/{id}/unpause", post(unpause))
        .route("/containers/{id}/wait", post(wait))
        .route("/containers/{id}/resize", post(resize))
        .route("/containers/{id}/rename", post(rename))
        .route("/containers/{id}/update", post(update))
}

async fn create(State(app): State<App>, query: Query, Json(body): Json<CreateBody>) -> Answer {
    let created = app.engine.create_container(query.text("name"), query.text("platform"), body).await?;
    Ok(respond::json(StatusCode::CREATED, &created))
}

async fn inspect(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    Ok(respond::ok(&app.engine.container(&id, query.flag("size")).await?))
}

async fn start(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    if !query.text("checkpoint").is_empty() {
        return Err(ApiError::not_supported("checkpoints are not supported"));
    }
    app.engine.start_container(&id).await?;
    Ok(respond::no_content())
}

async fn stop(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.stop_container(&id, query.stop()?).await?;
    Ok(respond::no_content())
}

async fn restart(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.restart_container(&id, query.stop()?).await?;
    Ok(respond::no_content())
}

async fn kill(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.kill_container(&id, query.text("signal")).await?;
    Ok(respond::no_content())
}

async fn pause(State(app): State<App>, Name(id): Name) -> Answer {
    app.engine.pause_container(&id).await?;
    Ok(respond::no_content())
}

async fn unpause(State(app): State<App>, Name(id): Name) -> Answer {
    app.engine.unpause_container(&id).await?;
    Ok(respond::no_content())
}

/// Waits. The headers go out at once: a client starts the container only when it has them.
async fn wait(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let until = match query.text("condition") {
        "" | "not-running" => WaitFor::NotRunning,
        "next-exit" => WaitFor::NextExit,
        "removed" => WaitFor::Removed,
        other => return Err(ApiError::bad_request(format!("invalid condition: {other:?}"))),
    };
    let waiting = app.engine.wait_container(&id, until).await?;
    let answer = stream::once(async move {
        let mut line = serde_json::to_vec(&waiting.await).expect("numbers and strings are always JSON");
        line.push(b'\n');
        Bytes::from(line)
    });
    Ok(respond::stream("application/json", answer))
}

async fn resize(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.resize_container(&id, query.size()?).await?;
    Ok(respond::empty())
}

async fn rename(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.rename_container(&id, query.text("name")).await?;
    Ok(respond::no_content())
}

async fn update(State(app): State<App>, Name(id): Name, Json(body): Json<UpdateBody>) -> Answer {
    Ok(respond::ok(&app.engine.update_container(&id, body).await?))
}

async fn remove(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let removal =
        ContainerRemoval { force: query.flag("force"), volumes: query.flag("v"), link: query.flag("link") };
    app.engine.remove_container(&id, removal).await?;
    Ok(respond::no_content())
}

async fn prune(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["until", "label", "label!"])?;
    Ok(respond::ok(&app.engine.prune_containers(filters).await?))
}

async fn top(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    Ok(respond::ok(&app.engine.container_top(&id, query.text("ps_args")).await?))
}

async fn changes(State(app): State<App>, Name(id): Name) -> Answer {
    Ok(respond::ok(&app.engine.container_changes(&id).await?))
}

async fn export(State(app): State<App>, Name(id): Name) -> Answer {
    Ok(respond::archive("application/octet-stream", app.engine.export_container(&id).await?))
}

impl Query {
    /// Returns how a container is stopped.
    fn stop(&self) -> Result<Stop, ApiError> {
        Ok(Stop { signal: self.text("signal").to_owned(), timeout: self.number("t")? })
    }

    /// Returns the size of a terminal.
    pub(super) fn size(&self) -> Result<Size, ApiError> {
        let side = |name: &str| {
            let side = self.number(name)?;
            side.ok_or_else(|| ApiError::bad_request(format!("invalid value for {name:?}: it is missing")))
        };
        Ok(Size { rows: side("h")?, columns: side("w")? })
    }
}
