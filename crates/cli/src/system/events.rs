//! `events` and `system events`

use anyhow::Result;
use clap::Args;
use engine_json::{Event, Time};
use format::{duration, json};
use serde_json::Value;

use crate::Context;
use crate::engine::Route;
use crate::inspect::filters;

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

/// Reads a time: seconds since 1970, a date, or how long ago; returns it as the API wants it.
pub(crate) fn moment(text: &str, now: Time) -> Result<String> {
    if text.parse::<f64>().is_ok_and(|number| number >= 0.0) {
        return Ok(text.to_owned());
    }
    if let Ok(ago) = duration::parse(text) {
        return Ok(seconds(now.nanoseconds().saturating_sub(ago)));
    }
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    Ok(seconds(full.parse::<Time>()?.nanoseconds()))
}

fn seconds(nanoseconds: i64) -> String {
    format!("{}.{:09}", nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_in_every_form() {
        let now = Time::from_nanoseconds(1_700_000_000_000_000_000);

        for (text, expected) in [
            ("1600000000", "1600000000"),
            ("10m", "1699999400.000000000"),
            ("2020-01-01", "1577836800.000000000"),
            ("2020-01-01T00:00", "1577836800.000000000"),
            ("2020-01-01T00:00:00", "1577836800.000000000"),
            ("2020-01-01T01:00:00.5+01:00", "1577836800.500000000"),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected);
        }
        assert!(moment("soon", now).is_err());
    }
}
