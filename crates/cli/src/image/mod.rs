//! `image`: this node's images.

pub(crate) mod history;
pub(crate) mod import;
mod inspect;
pub(crate) mod load;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rm;
pub(crate) mod save;
pub(crate) mod tag;

use anyhow::Result;
use clap::Subcommand;
use client::Context;

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how an image was built
    History(history::Arguments),
    /// Make an image of a tar archive of files
    Import(import::Arguments),
    /// Show images in full
    Inspect(inspect::Arguments),
    /// Load images from an archive
    Load(load::Arguments),
    /// List images
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// Remove images that nothing uses
    Prune(prune::Arguments),
    /// Fetch an image from a registry
    Pull(pull::Arguments),
    /// Put an image into a registry
    Push(push::Arguments),
    /// Remove images
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
    /// Write images as an archive
    Save(save::Arguments),
    /// Give an image another name
    Tag(tag::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::History(arguments) => history::run(context, arguments).await,
            Self::Import(arguments) => import::run(context, arguments).await,
            Self::Prune(arguments) => prune::run(context, arguments).await,
            Self::Push(arguments) => push::run(context, arguments).await,
            Self::Save(arguments) => save::run(context, arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Load(arguments) => load::run(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Pull(arguments) => pull::run(context, arguments).await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
            Self::Tag(arguments) => tag::run(context, arguments).await,
        }
    }
}
