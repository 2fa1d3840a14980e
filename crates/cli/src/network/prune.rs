//! `network prune`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use container_cli::prune::tell;
use container_json::NetworksPruned;

/// Which unused networks go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only those that fit, such as `until=24h`
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let filters = filters(&arguments.filter)?;
    let question = "WARNING! This will remove all custom networks not used by at least one container.\n\
                    Are you sure you want to continue?";
    if !arguments.force && !context.console.confirm(question).await? {
        return Ok(());
    }
    let route = Route::new("/networks/prune").filtered(&filters);
    let pruned: NetworksPruned = context.engine.post(route, &serde_json::json!({})).await?;
    tell(context, "Deleted Networks:", &pruned.networks_deleted)
}
