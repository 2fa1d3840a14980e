//! `image pull` and `pull`

use anyhow::Result;
use clap::Args;
use client::Context;
use container_cli::progress::Show;
use format::reference::Reference;

/// Which image is fetched.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image, `NAME[:TAG|@DIGEST]`
    #[arg(value_name = "IMAGE")]
    name: String,
    /// Fetch another platform's variant, such as `linux/arm64`
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Only show the name at the end
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let reference = Reference::of(&arguments.name);
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
    let show = if arguments.quiet { Show::Nothing } else { Show::Output };
    container_cli::pull(context, &arguments.name, arguments.platform.as_deref(), show).await?;
    Ok(context.console.line(&format!("{}{separator}{version}", reference.canonical()))?)
}
