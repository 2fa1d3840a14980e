//! `network`: what containers and services reach each other over.

mod connect;
mod create;
mod inspect;
mod ls;
mod pools;
mod prune;
mod rm;

use anyhow::Result;
use clap::Subcommand;
use client::Context;

/// What to do with networks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put a container on a network
    Connect(connect::Connect),
    /// Create a network
    Create(create::Arguments),
    /// Take a container off a network
    Disconnect(connect::Disconnect),
    /// Show networks in full
    Inspect(inspect::Arguments),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// Remove networks that nobody uses
    Prune(prune::Arguments),
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Connect(arguments) => connect::connect(context, arguments).await,
            Self::Create(arguments) => create::run(context, arguments).await,
            Self::Disconnect(arguments) => connect::disconnect(context, arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Prune(arguments) => prune::run(context, arguments).await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
        }
    }
}

/// Reads `KEY=VALUE` flags.
fn pairs(texts: &[String]) -> engine_json::Labels {
    let pairs = texts.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
