//! `node rm`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, each, escape_path};

/// Which nodes go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of nodes
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    /// Remove a node although it is not down
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    each(context, &arguments.nodes, async |context, node| {
        let route = Route::new(format!("/nodes/{}", escape_path(node)));
        let route = if arguments.force { route.with("force", "1") } else { route };
        context.engine.delete(route).await?;
        Ok(context.console.line(node)?)
    })
    .await
}
