//! `image push` and `push`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route, credentials, escape_path};
use container_cli::progress::{self, Show};
use format::reference::Reference;

/// Which image is put into its registry.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image, `NAME[:TAG]`
    #[arg(value_name = "IMAGE")]
    name: String,
    /// All names that differ in the tag alone
    #[arg(short, long)]
    all_tags: bool,
    /// Without effect: images are known by their digests
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
    /// Only this platform's variant, such as `linux/arm64`
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Only show the name at the end
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let reference = Reference::of(&arguments.name);
    if reference.digest.is_some() {
        bail!("cannot push a digest reference");
    }
    let tag = match (reference.tag, arguments.all_tags) {
        (Some(_), true) => bail!("tag can't be used with --all-tags/-a"),
        (None, true) => None,
        (Some(tag), false) => Some(tag),
        (None, false) => {
            if !arguments.quiet {
                context.console.line("Using default tag: latest")?;
            }
            Some("latest")
        }
    };
    let mut route = Route::new(format!("/images/{}/push", escape_path(reference.name)));
    if let Some(tag) = tag {
        route = route.with("tag", tag);
    }
    if let Some(platform) = &arguments.platform {
        route = route.with("platform", platform);
    }
    let lines = context.engine.post_lines(route.authorized(credentials::header(&arguments.name))).await?;
    let show = if arguments.quiet { Show::Nothing } else { Show::Output };
    progress::follow(&mut context.console, lines, show).await?;
    if arguments.quiet {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        context.console.line(&format!("{}{tag}", reference.name))?;
    }
    Ok(())
}
