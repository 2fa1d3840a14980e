//! `events` and `system events`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters, moment};
use engine_json::{Event, Time};
use format::json;
use serde_json::Value;

/// Which events are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only events that fit, such as `type=service`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each event with a Go template, or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Also show events since this time, or so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Stop at this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut route = Route::new("/events").filtered(&filters(&arguments.filter)?);
    let now = context.console.now();
    for (key, text) in [("since", &arguments.since), ("until", &arguments.until)] {
        if let Some(text) = text {
            route = route.with(key, moment(text, now)?);
        }
    }
    let mut lines = context.engine.stream(route).await?;
    while let Some(raw) = lines.next::<Value>().await? {
        let line = match arguments.format.as_deref() {
            None => plain(&serde_json::from_value(raw)?),
            Some("json") => json::compact(&serde_json::from_value::<Event>(raw)?),
            Some(format) => format::object(&raw, format)?,
        };
        context.console.line(&line)?;
    }
    Ok(())
}

fn plain(event: &Event) -> String {
    let time = Time::from_nanoseconds(event.time_nano).to_string();
    let (whole, fraction) =
        time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    let mut line = format!("{whole}.{fraction:0<9}Z {} {} {}", event.kind, event.action, event.actor.id);
    if !event.actor.attributes.is_empty() {
        let attributes: Vec<String> =
            event.actor.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        line.push_str(&format!(" ({})", attributes.join(", ")));
    }
    line
}
