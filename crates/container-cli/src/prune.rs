//! `container prune`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use container_json::ContainersPruned;
use format::size;

/// Which containers go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only those that fit, such as `until=24h`
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Removes all containers that have ended.
pub async fn containers(context: &mut Context, arguments: Arguments) -> Result<()> {
    let filters = filters(&arguments.filter)?;
    let warning = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";
    if !arguments.force && !context.console.confirm(warning).await? {
        return Ok(());
    }
    let route = Route::new("/containers/prune").filtered(&filters);
    let pruned: ContainersPruned = context.engine.post(route, &serde_json::json!({})).await?;
    tell(context, "Deleted Containers:", &pruned.containers_deleted)?;
    reclaimed(context, pruned.space_reclaimed)
}

/// Tells what is gone, if anything is.
pub fn tell(context: &mut Context, heading: &str, gone: &[String]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    Ok(context.console.write(&format!("{heading}\n{}\n\n", gone.join("\n")))?)
}

/// Tells how much room there is again.
pub fn reclaimed(context: &mut Context, bytes: u64) -> Result<()> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    Ok(context.console.line(&format!("Total reclaimed space: {}", size::decimal_of(bytes, 4)))?)
}
