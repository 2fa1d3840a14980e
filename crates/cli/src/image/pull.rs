//! `image pull` and `pull`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, credentials};
use format::reference::Reference;

use super::show_progress;

/// Which image is fetched.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image, `NAME[:TAG|@DIGEST]`
    #[arg(value_name = "IMAGE")]
    name: String,
    /// Fetch another platform's variant, such as `linux/arm64`
    #[arg(long, default_value = "", hide_default_value = true)]
    platform: String,
    /// Only show the name at the end
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let reference = Reference::of(&arguments.name);
    let name = reference.canonical();
    let (separator, version) = match (reference.digest, reference.tag) {
        (Some(digest), _) => ("@", digest),
        (None, Some(tag)) => (":", tag),
        (None, None) => {
            if !arguments.quiet {
                context.console.line("Using default tag: latest")?;
            }
            (":", "latest")
        }
    };
    let route = Route::new("/images/create").with("fromImage", &name).with("tag", version);
    let route =
        if arguments.platform.is_empty() { route } else { route.with("platform", &arguments.platform) };
    let route = route.authorized(credentials::header(&arguments.name));
    let lines = context.engine.post_lines(route).await?;
    show_progress(context, lines, arguments.quiet).await?;
    Ok(context.console.line(&format!("{name}{separator}{version}"))?)
}
