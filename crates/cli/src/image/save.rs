//! `image save` and `save`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use container_cli::export;

/// Which images are written, and where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Write to this file; standard output unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only this platform's variant, such as `linux/arm64`
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    export::refuse_terminal(context, arguments.output.is_some())?;
    let route = Route::new("/images/get");
    let route = arguments.images.iter().fold(route, |route, image| route.with("names", image));
    let route = arguments.platform.iter().fold(route, |route, platform| route.with("platform", platform));
    let archive = context.engine.stream(route).await?;
    export::write(context, archive, arguments.output).await
}
