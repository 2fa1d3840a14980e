//! `run`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Exit, Hijacked, Lines, Route, terminal};
use container_flags::switch;
use container_json::{CreateBody, WaitAnswer};

use crate::create::{self, create, failed, refused};
use crate::lifecycle::route;
use crate::proxy::Proxy;
use crate::session::{self, Ended, Ends, Signals};

/// The exit codes of a program that is not there, and of one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// What a new container is, and how the user takes part in it.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    create: create::Arguments,
    /// Let it run, and only show its id
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    detach: Option<bool>,
    /// The keys that leave it without ending it, such as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    /// Pass signals on to its program
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    sig_proxy: Option<bool>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let is_detached = arguments.detach.unwrap_or(false);
    let body = arguments.body(context, is_detached).map_err(|error| failed("run", error))?;
    let keys = session::keys(&arguments.detach_keys).map_err(|error| failed("run", error))?;
    let id = create(context, &arguments.create, &body).await.map_err(|error| failed("run", error))?;
    if is_detached {
        start(context, &id).await?;
        return Ok(context.console.line(&id)?);
    }
    let proxies_signals = arguments.sig_proxy.unwrap_or(true);
    let config = &body.config;
    let ends = Ends {
        input: config.attach_stdin,
        is_terminal: config.tty,
        keys,
        signals: if proxies_signals { Signals::Container } else { Signals::Client },
    };
    let mut proxy = Proxy::default();
    if proxies_signals {
        proxy.signals(&context.engine, &id);
    }
    let streams =
        attach(context, &id, &body, &arguments.detach_keys).await.map_err(|error| failed("run", error))?;
    let condition = if body.host_config.auto_remove { "removed" } else { "next-exit" };
    let waiting = context.engine.post_lines(route(&id, "wait").with("condition", condition)).await;
    let mut waiting = waiting.map_err(|error| failed("run", error.into()))?;
    if let Err(error) = start(context, &id).await {
        if body.host_config.auto_remove {
            // It goes before the command does; why it did not start is what counts.
            let _ = waiting.next::<WaitAnswer>().await;
        }
        return Err(error);
    }
    if config.tty && context.console.is_terminal() {
        proxy.sizes(&context.engine, format!("/containers/{id}"));
    }
    if session::join(&mut context.console, streams, ends).await? == Ended::Left {
        return Ok(());
    }
    finish(context, waiting).await
}

impl Arguments {
    fn body(&self, context: &Context, is_detached: bool) -> Result<CreateBody> {
        let mut body = self.create.body()?;
        let config = &mut body.config;
        if is_detached {
            if self.create.creation.names_streams() {
                bail!("conflicting options: cannot specify both --attach and --detach");
            }
            (config.attach_stdin, config.attach_stdout, config.attach_stderr) = (false, false, false);
            config.stdin_once = false;
        } else {
            session::check_terminal(context, config.attach_stdin, config.tty)?;
        }
        let size = terminal::size().filter(|_| context.console.is_terminal()).unwrap_or_default();
        body.host_config.console_size = [size.rows.into(), size.columns.into()];
        Ok(body)
    }
}

/// Attaches to the streams that the container was created for.
async fn attach(context: &Context, id: &str, body: &CreateBody, keys: &str) -> Result<Hijacked> {
    let config = &body.config;
    let mut route = route(id, "attach");
    if !keys.is_empty() {
        route = route.with("detachKeys", keys);
    }
    let route = route
        .flagged("stderr", config.attach_stderr)
        .flagged("stdin", config.attach_stdin)
        .flagged("stdout", config.attach_stdout)
        .with("stream", "1");
    Ok(context.engine.hijack(route, None::<&()>).await?)
}

/// Starts a container; the exit code of a failure tells whether its program was the reason, as a shell would.
async fn start(context: &Context, id: &str) -> Result<()> {
    let Err(error) = context.engine.act(route(id, "start")).await else { return Ok(()) };
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["executable file not found", "no such file or directory"]) {
        return Err(refused("run", NOT_FOUND, error.into()));
    }
    if says(&["permission denied", "is a directory"]) {
        return Err(refused("run", NOT_RUNNABLE, error.into()));
    }
    Err(failed("run", error.into()))
}

/// Ends as the container did.
pub(crate) async fn finish(context: &mut Context, mut waiting: Lines) -> Result<()> {
    let answer: WaitAnswer = match waiting.next().await {
        Ok(answer) => answer.unwrap_or_default(),
        Err(error) => return Err(failed("run", anyhow::anyhow!("error waiting for container: {error}"))),
    };
    if let Some(error) = answer.error.filter(|error| !error.message.is_empty()) {
        context.console.complain(&format!("Error waiting for container: {}", error.message));
        return Err(failed("run", anyhow::anyhow!(error.message)));
    }
    match u8::try_from(answer.status_code).unwrap_or(u8::MAX) {
        0 => Ok(()),
        code => Err(Exit::silent(code).into()),
    }
}

/// The route that a container's streams are at.
pub(crate) fn streams(container: &str, keys: &str, input: bool) -> Route {
    let route = route(container, "attach");
    let route = if keys.is_empty() { route } else { route.with("detachKeys", keys) };
    route.with("stderr", "1").flagged("stdin", input).with("stdout", "1").with("stream", "1")
}
