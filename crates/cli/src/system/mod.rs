//! `system`: this node's daemon.

pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod version;

use anyhow::Result;
use clap::Subcommand;
use client::Context;

/// What to look at.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch what happens
    Events(events::Arguments),
    /// Show what the daemon says of itself and its host
    Info(info::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Events(arguments) => events::run(context, arguments).await,
            Self::Info(arguments) => info::run(context, arguments).await,
        }
    }
}
