//! `stop`, `restart`, `kill`, `pause`, `unpause` and `wait`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, each, escape_path};
use container_json::WaitAnswer;

/// Which containers are meant.
#[derive(Debug, Args)]
pub struct Names {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// Which containers stop, and how.
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    names: Names,
    /// The signal that asks them to
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// How many seconds they have until they are killed; -1 is without end
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS", allow_negative_numbers = true)]
    time: Option<i64>,
}

/// Which containers get which signal.
#[derive(Debug, Args)]
pub struct Kill {
    #[command(flatten)]
    names: Names,
    /// The signal
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
}

/// Returns the route of a verb on a container.
pub(crate) fn route(container: &str, verb: &str) -> Route {
    Route::new(format!("/containers/{}/{verb}", escape_path(container)))
}

/// Does what a verb says to each container.
pub(crate) async fn act(context: &mut Context, arguments: Names, verb: &str) -> Result<()> {
    each(context, &arguments.containers, async |context, name| {
        context.engine.act(route(name, verb)).await?;
        Ok(context.console.line(name)?)
    })
    .await
}

/// Stops or restarts each container.
pub(crate) async fn stop(context: &mut Context, arguments: Stop, verb: &str) -> Result<()> {
    each(context, &arguments.names.containers, async |context, name| {
        let mut route = route(name, verb);
        if let Some(signal) = &arguments.signal {
            route = route.with("signal", signal);
        }
        if let Some(time) = arguments.time {
            route = route.with("t", time.to_string());
        }
        context.engine.act(route).await?;
        Ok(context.console.line(name)?)
    })
    .await
}

/// Sends each container a signal.
pub(crate) async fn kill(context: &mut Context, arguments: Kill) -> Result<()> {
    each(context, &arguments.names.containers, async |context, name| {
        let route = route(name, "kill");
        let route = arguments.signal.iter().fold(route, |route, signal| route.with("signal", signal));
        context.engine.act(route).await?;
        Ok(context.console.line(name)?)
    })
    .await
}

/// Waits for the end of each container.
pub(crate) async fn wait(context: &mut Context, arguments: Names) -> Result<()> {
    each(context, &arguments.containers, async |context, name| {
        let mut lines = context.engine.post_lines(route(name, "wait")).await?;
        let answer: WaitAnswer = lines.next().await?.unwrap_or_default();
        match answer.error {
            Some(error) if !error.message.is_empty() => anyhow::bail!("{}", error.message),
            _ => Ok(context.console.line(&answer.status_code.to_string())?),
        }
    })
    .await
}
