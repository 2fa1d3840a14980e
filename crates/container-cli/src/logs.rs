//! `logs`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route, moment};
use container_json::Inspect;
use engine_json::Channel;

use crate::lifecycle::route;

/// Whose output is shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
    /// Show what the log driver tells beside each line
    #[arg(long)]
    details: bool,
    /// Go on as output comes
    #[arg(short, long)]
    follow: bool,
    /// Only output since this time, or so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many lines to begin with
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "all", allow_negative_numbers = true)]
    tail: String,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Only output before this time, or so long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let container: Inspect = context.engine.get(route(&arguments.container, "json")).await?;
    let mut route = Route::new(format!("/containers/{}/logs", container.id))
        .flagged("details", arguments.details)
        .flagged("follow", arguments.follow);
    let now = context.console.now();
    for (key, text) in [("since", &arguments.since), ("until", &arguments.until)] {
        if let Some(text) = text {
            route = route.with(key, moment(text, now)?);
        }
    }
    let route = route
        .with("stderr", "1")
        .with("stdout", "1")
        .with("tail", &arguments.tail)
        .flagged("timestamps", arguments.timestamps);
    let mut lines = context.engine.stream(route).await?;
    if container.config.tty {
        while let Some(bytes) = lines.next_raw().await? {
            context.console.write_bytes(&bytes)?;
        }
        return Ok(());
    }
    while let Some((channel, payload)) = lines.next_frame().await? {
        match channel {
            Channel::Stdin | Channel::Stdout => context.console.write_bytes(&payload)?,
            Channel::Stderr => context.console.complain_bytes(&payload),
            Channel::SystemError => bail!("{}", String::from_utf8_lossy(&payload).trim()),
        }
    }
    Ok(())
}
