//! `image prune`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use container_cli::prune::{reclaimed, tell};
use engine_json::{DeletedImage, Filters, ImagesPruned};

/// Which images go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Those with names too
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, such as `until=24h`
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let filters = filters(&arguments.filter)?;
    let which = if arguments.all {
        "all images without at least one container associated to them"
    } else {
        "all dangling images"
    };
    let question = format!("WARNING! This will remove {which}.\nAre you sure you want to continue?");
    if !arguments.force && !context.console.confirm(&question).await? {
        return Ok(());
    }
    let room = prune(context, filters, arguments.all).await?;
    reclaimed(context, room)
}

/// Removes images that nothing uses, and returns how much room there is again.
pub(crate) async fn prune(context: &mut Context, mut filters: Filters, all: bool) -> Result<u64> {
    filters.add("dangling", if all { "false" } else { "true" });
    let route = Route::new("/images/prune").filtered(&filters);
    let pruned: ImagesPruned = context.engine.post(route, &serde_json::json!({})).await?;
    let line = |DeletedImage { untagged, deleted }: &DeletedImage| {
        if deleted.is_empty() { format!("untagged: {untagged}") } else { format!("deleted: {deleted}") }
    };
    let lines: Vec<String> = pruned.images_deleted.iter().map(line).collect();
    tell(context, "Deleted Images:", &lines)?;
    Ok(pruned.space_reclaimed)
}
