//! `exec`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Exit, Route, terminal};
use container_flags::{Surroundings, Variables, switch};
use container_json::{ExecBody, ExecCreated, ExecInspect, ExecStart};

use crate::lifecycle::route;
use crate::proxy::Proxy;
use crate::session::{self, Ended, Ends, Signals};

/// Which command runs where, and how.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Arguments {
    /// The container
    container: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Do not wait for it
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    detach: Option<bool>,
    /// The keys that leave it without ending it, such as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    #[command(flatten)]
    variables: Variables,
    /// Pass input on
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    interactive: Option<bool>,
    /// Let nothing keep it from the host
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    privileged: Option<bool>,
    /// Give it a terminal
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    tty: Option<bool>,
    /// The user, or `USER:GROUP`
    #[arg(short, long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// The working directory
    #[arg(short, long, value_name = "PATH", default_value = "", hide_default_value = true)]
    workdir: String,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let body = arguments.body(context)?;
    let keys = session::keys(&arguments.detach_keys)?;
    session::check_terminal(context, body.attach_stdin, body.tty)?;
    let created: ExecCreated = context.engine.post(route(&arguments.container, "exec"), &body).await?;
    if created.id.is_empty() {
        bail!("exec ID empty");
    }
    let start = ExecStart { detach: body.detach, tty: body.tty, console_size: body.console_size };
    let started = Route::new(format!("/exec/{}/start", created.id));
    if body.detach {
        context.engine.post_plain(started, &start).await?;
        return Ok(());
    }
    let streams = context.engine.hijack(started, Some(&start)).await?;
    let mut proxy = Proxy::default();
    if body.tty && context.console.is_input_terminal() {
        proxy.sizes(&context.engine, format!("/exec/{}", created.id));
    }
    let ends = Ends { input: body.attach_stdin, is_terminal: body.tty, keys, signals: Signals::Client };
    if session::join(&mut context.console, streams, ends).await? == Ended::Left {
        return Ok(());
    }
    let ended: ExecInspect = context.engine.get(Route::new(format!("/exec/{}/json", created.id))).await?;
    match u8::try_from(ended.exit_code.unwrap_or(0)).unwrap_or(u8::MAX) {
        0 => Ok(()),
        code => Err(Exit::silent(code).into()),
    }
}

impl Arguments {
    fn body(&self, context: &Context) -> Result<ExecBody> {
        let directory = std::env::current_dir().unwrap_or_default();
        let variable = |name: &str| std::env::var(name).ok();
        let detach = self.detach.unwrap_or(false);
        let size = terminal::size().filter(|_| context.console.is_terminal());
        let tty = self.tty.unwrap_or(false);
        Ok(ExecBody {
            user: self.user.clone(),
            privileged: self.privileged.unwrap_or(false),
            tty,
            console_size: size.filter(|_| tty).map(|size| [size.rows.into(), size.columns.into()]),
            attach_stdin: self.interactive.unwrap_or(false) && !detach,
            attach_stderr: !detach,
            attach_stdout: !detach,
            detach,
            detach_keys: self.detach_keys.clone(),
            env: self.variables.list(Surroundings { variable: &variable, directory: &directory })?,
            working_dir: self.workdir.clone(),
            cmd: Some(self.command.clone()),
        })
    }
}
