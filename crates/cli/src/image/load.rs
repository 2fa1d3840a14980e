//! `image load` and `load`

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use client::{Context, Route};
use container_cli::progress::{self, Show};

/// Which archive is loaded.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Read this file; standard input unless given
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Load only this platform's variant, such as `linux/amd64`
    #[arg(long, default_value = "", hide_default_value = true)]
    platform: String,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let quiet = arguments.quiet || !context.console.is_terminal();
    let route = Route::new("/images/load").with("quiet", if quiet { "1" } else { "0" });
    let route =
        if arguments.platform.is_empty() { route } else { route.with("platform", &arguments.platform) };
    let kind = "application/x-tar";
    let lines = match &arguments.input {
        Some(path) => {
            let file =
                tokio::fs::File::open(path).await.with_context(|| format!("open {}", path.display()))?;
            context.engine.post_stream(route, kind, file).await?
        }
        None if std::io::stdin().is_terminal() => {
            bail!("requested load from stdin, but stdin is empty");
        }
        None => context.engine.post_stream(route, kind, tokio::io::stdin()).await?,
    };
    // A quiet daemon tells the names alone, which are the result.
    progress::follow(&mut context.console, lines, Show::Output).await.map(drop)
}
