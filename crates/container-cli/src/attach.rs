//! `attach`

use anyhow::{Result, bail};
use clap::Args;
use client::Context;
use container_flags::switch;
use container_json::Inspect;

use crate::lifecycle::route;
use crate::proxy::{Proxy, redraw};
use crate::run::{finish, streams};
use crate::session::{self, Ended, Ends, Signals};

/// Which container is attached to, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
    /// The keys that leave it without ending it, such as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    /// Pass no input on
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    no_stdin: Option<bool>,
    /// Pass signals on to its program
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    sig_proxy: Option<bool>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let container: Inspect = context.engine.get(route(&arguments.container, "json")).await?;
    let state = &container.state;
    if !state.running {
        bail!("cannot attach to a stopped container, start the container first");
    }
    if state.paused {
        bail!("cannot attach to a paused container, unpause first");
    }
    if state.restarting {
        bail!("cannot attach to a restarting container, wait until it is running");
    }
    let config = &container.config;
    let input = config.open_stdin && !arguments.no_stdin.unwrap_or(false);
    session::check_terminal(context, input, config.tty)?;
    let keys = session::keys(&arguments.detach_keys)?;
    let proxies_signals = arguments.sig_proxy.unwrap_or(true) && !config.tty;
    let mut proxy = Proxy::default();
    if proxies_signals {
        proxy.signals(&context.engine, &container.id);
    }
    let waiting = context.engine.post_lines(route(&container.id, "wait")).await?;
    let attached = streams(&container.id, &arguments.detach_keys, input);
    let streams = context.engine.hijack(attached, None::<&()>).await?;
    if config.tty && context.console.is_terminal() {
        redraw(&context.engine, &container.id).await;
        proxy.sizes(&context.engine, format!("/containers/{}", container.id));
    }
    let signals = if proxies_signals { Signals::Container } else { Signals::Client };
    let ends = Ends { input, is_terminal: config.tty, keys, signals };
    match session::join(&mut context.console, streams, ends).await? {
        Ended::Left => Ok(()),
        Ended::Closed => finish(context, waiting).await,
    }
}
