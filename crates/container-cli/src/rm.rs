//! `rm`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, each, escape_path};

/// Which containers go, and what goes with them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Kill those that run
    #[arg(short, long)]
    force: bool,
    /// Remove a link, and not the container
    #[arg(short, long)]
    link: bool,
    /// Remove their volumes without a name too
    #[arg(short, long)]
    volumes: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    each(context, &arguments.containers, async |context, name| {
        let route = Route::new(format!("/containers/{}", escape_path(name.trim_matches('/'))))
            .flagged("force", arguments.force)
            .flagged("link", arguments.link)
            .flagged("v", arguments.volumes);
        match context.engine.delete(route).await {
            Ok(_) => Ok(context.console.line(name)?),
            // What is to be gone and is not there is told, and no failure.
            Err(error) if arguments.force && error.is_not_found() => {
                context.console.complain(&error.to_string());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}
