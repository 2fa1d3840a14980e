//! What containers use, once or every second.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use container_json::{CpuStats, Stats};
use engine_json::Time;
use futures_util::stream;

use crate::error::ApiError;
use crate::request::{Answer, App, Name, Query};
use crate::respond;

/// The time between two readings; Docker's, from which clients compute what is used per second.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/{id}/stats", get(stats))
}

async fn stats(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let mut meter = Meter { app, id, before: None };
    let first = meter.read().await?;
    // Docker streams unless told otherwise.
    if query.text("stream").is_empty() || query.flag("stream") {
        return Ok(respond::stream("application/json", stream::unfold((meter, Some(first)), next)));
    }
    if query.flag("one-shot") {
        return Ok(respond::ok(&first));
    }
    tokio::time::sleep(INTERVAL).await;
    Ok(respond::ok(&meter.read().await?))
}

/// Reads what a container uses, and remembers it for the next time.
struct Meter {
    app: App,
    id: String,
    before: Option<(Time, CpuStats)>,
}

impl Meter {
    async fn read(&mut self) -> Result<Stats, ApiError> {
        let mut stats = self.app.engine.container_stats(&self.id).await?;
        let before = self.before.replace((stats.read, stats.cpu_stats.clone()));
        (stats.preread, stats.precpu_stats) = before.unwrap_or_default();
        Ok(stats)
    }
}

/// Ends when the container is gone.
async fn next((mut meter, first): (Meter, Option<Stats>)) -> Option<(Bytes, (Meter, Option<Stats>))> {
    let stats = match first {
        Some(first) => first,
        None => {
            tokio::time::sleep(INTERVAL).await;
            meter.read().await.ok()?
        }
    };
    let mut line = serde_json::to_vec(&stats).expect("numbers and strings are always JSON");
    line.push(b'\n');
    Some((line.into(), (meter, None)))
}
