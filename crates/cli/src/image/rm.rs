//! `image rm` and `rmi`

use anyhow::Result;
use clap::Args;
use client::{Context, Error, Route, each, escape_path};
use engine_json::{DeletedImage, decode};

/// Which images go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Remove an image although it has several names or a stopped container uses it
    #[arg(short, long)]
    force: bool,
    /// Keep layers that nothing else uses
    #[arg(long)]
    no_prune: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    each(context, &arguments.images, async |context, image| {
        let mut route = Route::new(format!("/images/{}", escape_path(image)));
        if arguments.force {
            route = route.with("force", "1");
        }
        if arguments.no_prune {
            route = route.with("noprune", "1");
        }
        let answer = context.engine.delete(route).await?;
        let deleted: Vec<DeletedImage> = decode(&answer).map_err(Error::Answer)?;
        for DeletedImage { untagged, deleted } in deleted {
            let line = if deleted.is_empty() {
                format!("Untagged: {untagged}")
            } else {
                format!("Deleted: {deleted}")
            };
            context.console.line(&line)?;
        }
        Ok(())
    })
    .await
}
