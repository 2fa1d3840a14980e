//! `system`: this node's daemon.

mod df;
pub(crate) mod events;
pub(crate) mod info;
mod prune;
pub(crate) mod version;

use anyhow::Result;
use clap::Subcommand;
use client::Context;

/// What to look at.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what takes room on the disk
    Df(df::Arguments),
    /// Watch what happens
    Events(events::Arguments),
    /// Show what the daemon says of itself and its host
    Info(info::Arguments),
    /// Remove all that is not used
    Prune(prune::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Df(arguments) => df::run(context, arguments).await,
            Self::Prune(arguments) => prune::run(context, arguments).await,
            Self::Events(arguments) => events::run(context, arguments).await,
            Self::Info(arguments) => info::run(context, arguments).await,
        }
    }
}
