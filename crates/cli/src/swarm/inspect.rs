//! `swarm inspect`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, inspect};

/// How the cluster is shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show it with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let swarm = context.engine.get_raw(Route::new("/swarm")).await?;
    inspect::show(context, vec![Ok(swarm)], arguments.format.as_deref())
}
