//! `swarm join-token`

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use client::{Context, Route};
use engine_json::{Info, Node, Swarm};

use super::Rotate;

/// Which token is shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What joining nodes become
    role: Role,
    /// Only show the token
    #[arg(short, long)]
    quiet: bool,
    /// Replace the token; the old one lets nobody in any more
    #[arg(long)]
    rotate: bool,
}

/// What joining nodes become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// They run tasks
    Worker,
    /// They also take part in deciding
    Manager,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.rotate {
        let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
        let which = match arguments.role {
            Role::Worker => Rotate::WorkerToken,
            Role::Manager => Rotate::ManagerToken,
        };
        context.engine.post_plain(which.route(swarm.version.index), &swarm.spec).await?;
        if !arguments.quiet {
            context.console.line(&format!("Successfully rotated {} join token.\n", arguments.role.name()))?;
        }
    }
    if arguments.quiet {
        let token = token(context, arguments.role).await?;
        return Ok(context.console.line(&token)?);
    }
    let info: Info = context.engine.get(Route::new("/info")).await?;
    tell(context, &info.swarm.node_id, arguments.role).await
}

/// Tells the command by which other nodes join through this one.
pub(super) async fn tell(context: &mut Context, node: &str, role: Role) -> Result<()> {
    // First, since it says so when this node is in no cluster.
    let token = token(context, role).await?;
    let node: Node = context.engine.get(Route::new(format!("/nodes/{node}"))).await?;
    let Some(manager) = node.manager_status else { return Ok(()) };
    Ok(context.console.line(&format!(
        "To add a {} to this swarm, run the following command:\n\n    drover swarm join --token {token} {}\n",
        role.name(),
        manager.addr
    ))?)
}

async fn token(context: &Context, role: Role) -> Result<String> {
    let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
    let Some(tokens) = swarm.join_tokens else { bail!("the daemon did not tell the join tokens") };
    Ok(match role {
        Role::Worker => tokens.worker,
        Role::Manager => tokens.manager,
    })
}
