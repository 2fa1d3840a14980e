//! `start`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route};
use container_flags::switch;
use container_json::Inspect;

use crate::lifecycle::route;
use crate::proxy::Proxy;
use crate::run::{finish, streams};
use crate::session::{self, Ended, Ends, Signals};

/// Which containers start, and whether the user takes part.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Attach to its output, and pass signals on
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    attach: Option<bool>,
    /// The keys that leave it without ending it, such as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    /// Attach to its input
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    interactive: Option<bool>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let takes_part = arguments.attach.unwrap_or(false) || arguments.interactive.unwrap_or(false);
    match arguments.containers.as_slice() {
        [container] if takes_part => attached(context, container, &arguments).await,
        _ if takes_part => bail!("you cannot start and attach multiple containers at once"),
        containers => all(context, containers).await,
    }
}

async fn all(context: &mut Context, containers: &[String]) -> Result<()> {
    let (mut failed, mut told) = (Vec::new(), String::new());
    for name in containers {
        match context.engine.act(route(name, "start")).await {
            Ok(_) => context.console.line(name)?,
            Err(error) => {
                told.push_str(&format!("{error}\n"));
                failed.push(name.as_str());
            }
        }
    }
    if !failed.is_empty() {
        bail!("{told}Error: failed to start containers: {}", failed.join(", "));
    }
    Ok(())
}

async fn attached(context: &mut Context, name: &str, arguments: &Arguments) -> Result<()> {
    let container: Inspect = context.engine.get(route(name, "json")).await?;
    let config = &container.config;
    let keys = session::keys(&arguments.detach_keys)?;
    let input = arguments.interactive.unwrap_or(false) && config.open_stdin;
    session::check_terminal(context, input, config.tty)?;
    let mut proxy = Proxy::default();
    if !config.tty {
        proxy.signals(&context.engine, &container.id);
    }
    let attached = streams(&container.id, &arguments.detach_keys, input);
    let streams = context.engine.hijack(attached, None::<&()>).await?;
    let condition = if container.host_config.auto_remove { "removed" } else { "next-exit" };
    let waiting =
        context.engine.post_lines(route(&container.id, "wait").with("condition", condition)).await?;
    let start: Route = route(&container.id, "start");
    context.engine.act(start).await?;
    if config.tty && context.console.is_terminal() {
        proxy.sizes(&context.engine, format!("/containers/{}", container.id));
    }
    let signals = if config.tty { Signals::Client } else { Signals::Container };
    let ends = Ends { input, is_terminal: config.tty, keys, signals };
    match session::join(&mut context.console, streams, ends).await? {
        Ended::Left => Ok(()),
        Ended::Closed => finish(context, waiting).await,
    }
}
