//! `image`: this node's images.

pub(crate) mod history;
mod inspect;
pub(crate) mod load;
pub(crate) mod ls;
pub(crate) mod pull;
pub(crate) mod rm;
pub(crate) mod tag;

use anyhow::{Result, bail};
use clap::Subcommand;
use client::{Context, Lines};
use engine_json::Progress;

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how an image was built
    History(history::Arguments),
    /// Show images in full
    Inspect(inspect::Arguments),
    /// Load images from an archive
    Load(load::Arguments),
    /// List images
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// Fetch an image from a registry
    Pull(pull::Arguments),
    /// Remove images
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
    /// Give an image another name
    Tag(tag::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::History(arguments) => history::run(context, arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Load(arguments) => load::run(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Pull(arguments) => pull::run(context, arguments).await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
            Self::Tag(arguments) => tag::run(context, arguments).await,
        }
    }
}

/// Shows progress as it comes: lines redrawn in place for a person, steps without bars in a pipe.
async fn show_progress(context: &mut Context, mut lines: Lines, quiet: bool) -> Result<()> {
    let mut ids: Vec<String> = Vec::new();
    while let Some(progress) = lines.next::<Progress>().await? {
        if let Some(error) = &progress.error_detail {
            bail!("{}", error.message);
        }
        if !progress.error.is_empty() {
            bail!("{}", progress.error);
        }
        if !progress.stream.is_empty() {
            context.console.write(&progress.stream)?;
            continue;
        }
        if quiet {
            continue;
        }
        let is_step = progress.progress_detail.is_none_or(|detail| detail.total == 0 && detail.current == 0);
        if context.console.is_terminal() && !progress.id.is_empty() && progress.progress_detail.is_some() {
            redraw(context, &mut ids, &progress)?;
        } else if is_step {
            ids.clear();
            let prefix = if progress.id.is_empty() { String::new() } else { format!("{}: ", progress.id) };
            context.console.line(&format!("{prefix}{}", progress.status))?;
        }
    }
    Ok(())
}

/// Writes the line of one id, at its place above the cursor.
fn redraw(context: &mut Context, ids: &mut Vec<String>, progress: &Progress) -> std::io::Result<()> {
    let at = match ids.iter().position(|id| *id == progress.id) {
        Some(at) => at,
        None => {
            ids.push(progress.id.clone());
            context.console.write("\n")?;
            ids.len() - 1
        }
    };
    let up = ids.len() - at;
    let line = format!("{}: {} {}", progress.id, progress.status, progress.progress);
    context.console.write(&format!("\x1b[{up}A\x1b[2K\r{line}\x1b[{up}B\r"))
}
