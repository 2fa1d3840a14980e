//! Talking to the programs of containers.

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use crate::engine::Attach;
use crate::hijack::Hijack;
use crate::request::{Answer, App, Name, Query};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/{id}/attach", post(attach))
}

async fn attach(State(app): State<App>, Name(id): Name, query: Query, hijack: Hijack) -> Answer {
    let attach = Attach {
        stream: query.flag("stream"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        logs: query.flag("logs"),
        detach_keys: query.text("detachKeys").to_owned(),
    };
    Ok(hijack.answer(app.engine.attach_container(&id, attach).await?))
}
