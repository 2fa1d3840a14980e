//! `image tag` and `tag`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, escape_path};
use format::reference::Reference;

/// Which image gets which name.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image
    source: String,
    /// Its further name, `NAME[:TAG]`
    target: String,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let target = Reference::of(&arguments.target);
    let route = Route::new(format!("/images/{}/tag", escape_path(&arguments.source)))
        .with("repo", target.name)
        .with("tag", target.tag.unwrap_or("latest"));
    context.engine.post_plain(route, &serde_json::json!({})).await?;
    Ok(())
}
