//! `system prune`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use container_cli::prune::{reclaimed, tell};
use container_json::{ContainersPruned, NetworksPruned, VolumesPruned};

use crate::image;

/// What goes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Images with names too
    #[arg(short, long)]
    all: bool,
    /// Only what fits, such as `until=24h`
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Volumes without a name too
    #[arg(long)]
    volumes: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let filters = filters(&arguments.filter)?;
    if !arguments.force && !context.console.confirm(&warning(&arguments)).await? {
        return Ok(());
    }
    let route = |path: &str| Route::new(path).filtered(&filters);
    let nothing = serde_json::json!({});
    let containers: ContainersPruned = context.engine.post(route("/containers/prune"), &nothing).await?;
    tell(context, "Deleted Containers:", &containers.containers_deleted)?;
    let networks: NetworksPruned = context.engine.post(route("/networks/prune"), &nothing).await?;
    tell(context, "Deleted Networks:", &networks.networks_deleted)?;
    let mut room = containers.space_reclaimed;
    if arguments.volumes {
        let volumes: VolumesPruned = context.engine.post(route("/volumes/prune"), &nothing).await?;
        tell(context, "Deleted Volumes:", &volumes.volumes_deleted)?;
        room += volumes.space_reclaimed;
    }
    room += image::prune::prune(context, filters, arguments.all).await?;
    reclaimed(context, room)
}

fn warning(arguments: &Arguments) -> String {
    let images = if arguments.all {
        "all images without at least one container associated to them"
    } else {
        "all dangling images"
    };
    let mut lines = vec!["all stopped containers", "all networks not used by at least one container"];
    if arguments.volumes {
        lines.push("all anonymous volumes not used by at least one container");
    }
    lines.push(images);
    let list: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
    let mut warning = format!("WARNING! This will remove:\n{list}\n");
    if !arguments.filter.is_empty() {
        let filters: String = arguments.filter.iter().map(|filter| format!("  - {filter}\n")).collect();
        warning.push_str(&format!("  Items to be pruned will be filtered with:\n{filters}\n"));
    }
    warning + "Are you sure you want to continue?"
}
