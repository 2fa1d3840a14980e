//! All commands on containers.

use anyhow::Result;
use bytes::Bytes;
use clap::{Args, Subcommand};
use client::{Context, Route, escape_path, inspect};

use crate::{
    attach, cp, create, diff, exec, export, lifecycle, logs, ls, port, prune, rm, run, start, stats, top,
    update,
};

/// What is done with containers.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Attach to a container's input and output
    Attach(attach::Arguments),
    /// Copy files between a container and this host
    Cp(cp::Arguments),
    /// Create a container without starting it
    #[command(disable_help_flag = true, args_override_self = true)]
    Create(Box<create::Arguments>),
    /// Show what a container changed of its image's files
    Diff(diff::Arguments),
    /// Run a command in a container
    Exec(exec::Arguments),
    /// Write a container's files as a tar archive
    Export(export::Arguments),
    /// Send a signal to containers
    Kill(lifecycle::Kill),
    /// Show what a container writes
    Logs(logs::Arguments),
    /// Freeze all processes of containers
    Pause(lifecycle::Names),
    /// Show where a container's ports are reached
    Port(port::Arguments),
    /// Give a container another name
    Rename(update::Rename),
    /// Stop containers and start them again
    Restart(lifecycle::Stop),
    /// Remove containers
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
    /// Create a container and start it
    #[command(disable_help_flag = true, args_override_self = true)]
    Run(Box<run::Arguments>),
    /// Start containers
    Start(start::Arguments),
    /// Show what containers use, as it changes
    Stats(stats::Arguments),
    /// Stop containers
    Stop(lifecycle::Stop),
    /// Show the processes of a container
    Top(top::Arguments),
    /// Let the processes of containers go on
    Unpause(lifecycle::Names),
    /// Change the limits of containers
    Update(update::Arguments),
    /// Wait until containers end, and show their exit codes
    Wait(lifecycle::Names),
}

impl Verb {
    /// Runs the command.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Attach(arguments) => attach::run(context, arguments).await,
            Self::Cp(arguments) => cp::run(context, arguments).await,
            Self::Create(arguments) => create::run(context, *arguments).await,
            Self::Diff(arguments) => diff::run(context, arguments).await,
            Self::Exec(arguments) => exec::run(context, arguments).await,
            Self::Export(arguments) => export::run(context, arguments).await,
            Self::Kill(arguments) => lifecycle::kill(context, arguments).await,
            Self::Logs(arguments) => logs::run(context, arguments).await,
            Self::Pause(arguments) => lifecycle::act(context, arguments, "pause").await,
            Self::Port(arguments) => port::run(context, arguments).await,
            Self::Rename(arguments) => update::rename(context, arguments).await,
            Self::Restart(arguments) => lifecycle::stop(context, arguments, "restart").await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
            Self::Run(arguments) => run::run(context, *arguments).await,
            Self::Start(arguments) => start::run(context, arguments).await,
            Self::Stats(arguments) => stats::run(context, arguments).await,
            Self::Stop(arguments) => lifecycle::stop(context, arguments, "stop").await,
            Self::Top(arguments) => top::run(context, arguments).await,
            Self::Unpause(arguments) => lifecycle::act(context, arguments, "unpause").await,
            Self::Update(arguments) => update::run(context, arguments).await,
            Self::Wait(arguments) => lifecycle::wait(context, arguments).await,
        }
    }
}

/// What to do with containers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is also a command of its own.
    #[command(flatten)]
    Verb(Box<Verb>),
    /// Show containers in full
    Inspect(Inspect),
    /// List containers
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ls::Arguments),
    /// Remove all containers that have ended
    Prune(prune::Arguments),
}

impl Command {
    /// Runs the command.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Verb(verb) => verb.run(context).await,
            Self::Inspect(arguments) => show(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Prune(arguments) => prune::containers(context, arguments).await,
        }
    }
}

/// Which containers are shown, and how.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Show each container with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Tell sizes too
    #[arg(short, long)]
    size: bool,
}

async fn show(context: &mut Context, arguments: Inspect) -> Result<()> {
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.containers {
        let route = Route::new(format!("/containers/{}/json", escape_path(name)));
        found.push(context.engine.get_raw(route.flagged("size", arguments.size)).await.map_err(Into::into));
    }
    inspect::show(context, found, arguments.format.as_deref())
}
