//! `swarm leave`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};

/// How the cluster is left.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave although this is a manager
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let route = Route::new("/swarm/leave");
    let route = if arguments.force { route.with("force", "1") } else { route };
    context.engine.post_plain(route, &serde_json::json!({})).await?;
    Ok(context.console.line("Node left the swarm.")?)
}
