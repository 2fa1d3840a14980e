//! `node`: the cluster's nodes.

mod inspect;
mod ls;
mod ps;
mod rm;
mod role;
mod update;

use anyhow::{Result, bail};
use clap::Subcommand;
use client::{Context, Route};
use engine_json::Info;

/// What to do with nodes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make managers workers
    Demote(role::Arguments),
    /// Show nodes in full
    Inspect(inspect::Arguments),
    /// List nodes
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// Make workers managers
    Promote(role::Arguments),
    /// List the tasks of nodes, of this one unless told otherwise
    Ps(ps::Arguments),
    /// Remove nodes from the cluster
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
    /// Change a node
    Update(update::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Demote(arguments) => role::run(context, arguments, "worker").await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Promote(arguments) => role::run(context, arguments, "manager").await,
            Self::Ps(arguments) => ps::run(context, arguments).await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
            Self::Update(arguments) => update::run(context, arguments).await,
        }
    }
}

/// Returns the id that `self` means, or the name as it is.
async fn resolve(context: &Context, name: &str) -> Result<String> {
    if name != "self" {
        return Ok(name.to_owned());
    }
    let info: Info = context.engine.get(Route::new("/info")).await?;
    if info.swarm.node_id.is_empty() {
        bail!("node ID not found in /info: this node is not part of a swarm");
    }
    Ok(info.swarm.node_id)
}
