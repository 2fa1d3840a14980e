//! Commands in containers.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use container_json::{ExecBody, ExecStart};
use http::StatusCode;

use crate::error::ApiError;
use crate::hijack::Hijack;
use crate::request::{Answer, App, Json, Name, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", post(start))
        .route("/exec/{id}/resize", post(resize))
        .route("/exec/{id}/json", get(inspect))
}

async fn create(State(app): State<App>, Name(id): Name, Json(body): Json<ExecBody>) -> Answer {
    if body.cmd.as_ref().is_none_or(Vec::is_empty) {
        return Err(ApiError::bad_request("No exec command specified"));
    }
    Ok(respond::json(StatusCode::CREATED, &app.engine.create_exec(&id, body).await?))
}

async fn start(
    State(app): State<App>,
    Name(id): Name,
    hijack: Hijack,
    Json(body): Json<ExecStart>,
) -> Answer {
    if body.detach {
        app.engine.start_exec_detached(&id, body).await?;
        return Ok(respond::empty());
    }
    Ok(hijack.answer(app.engine.start_exec(&id, body).await?))
}

async fn resize(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    app.engine.resize_exec(&id, query.size()?).await?;
    Ok(respond::empty())
}

async fn inspect(State(app): State<App>, Name(id): Name) -> Answer {
    Ok(respond::ok(&app.engine.exec(&id).await?))
}
