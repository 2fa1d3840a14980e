//! `image inspect`

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use client::{Context, Route, escape_path, inspect};

/// Which images are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Show each image with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for image in &arguments.images {
        let route = Route::new(format!("/images/{}/json", escape_path(image)));
        found.push(context.engine.get_raw(route).await.map_err(Into::into));
    }
    inspect::show(context, found, arguments.format.as_deref())
}
