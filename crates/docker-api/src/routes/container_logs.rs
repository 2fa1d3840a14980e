//! Logs of containers on this host.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::service_logs::lines_wanted;
use crate::engine::ContainerLogs;
use crate::request::{Answer, App, Name, Query, Version};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/{id}/logs", get(logs))
}

async fn logs(State(app): State<App>, Name(id): Name, query: Query, version: Version) -> Answer {
    let wanted = ContainerLogs {
        lines: lines_wanted(&query)?,
        // 0 is what clients write for none.
        until: query.time("until")?.filter(|until| !until.is_zero()).map(Into::into),
        timestamps: query.flag("timestamps"),
        details: query.flag("details"),
    };
    let output = app.engine.container_logs(&id, wanted).await?;
    Ok(respond::stream(respond::output_type(output.is_raw, version), output.bytes))
}
