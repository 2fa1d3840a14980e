//! `network inspect`

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use client::{Context, Route, escape_path, inspect};

/// Which networks are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of networks
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
    /// Show each network with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Tell services, tasks and nodes on it too
    #[arg(short, long)]
    verbose: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.networks {
        let route = Route::new(format!("/networks/{}", escape_path(name)));
        let route = if arguments.verbose { route.with("verbose", "true") } else { route };
        found.push(context.engine.get_raw(route).await.map_err(Into::into));
    }
    inspect::show(context, found, arguments.format.as_deref())
}
