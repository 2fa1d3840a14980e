//! `swarm unlock-key`

use anyhow::{Context as _, Result, bail};
use clap::Args;
use client::{Context, Route};
use engine_json::{Swarm, UnlockKey};

use super::Rotate;

/// How the key is shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only show the key
    #[arg(short, long)]
    quiet: bool,
    /// Replace the key
    #[arg(long)]
    rotate: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.rotate {
        let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
        if !swarm.spec.encryption_config.auto_lock_managers {
            bail!("cannot rotate because autolock is not turned on");
        }
        context.engine.post_plain(Rotate::UnlockKey.route(swarm.version.index), &swarm.spec).await?;
        if !arguments.quiet {
            context.console.line("Successfully rotated manager unlock key.\n")?;
        }
    }
    if arguments.quiet {
        let key = fetch(context).await?;
        return Ok(context.console.line(&key)?);
    }
    tell(context).await
}

/// Tells the key and what it is for.
pub(super) async fn tell(context: &mut Context) -> Result<()> {
    let key = fetch(context).await?;
    Ok(context.console.line(&format!(
        "To unlock a swarm manager after it restarts, run the `drover swarm unlock`\n\
         command and provide the following key:\n\n    {key}\n\n\
         Remember to store this key in a password manager, since without it you\n\
         will not be able to restart the manager."
    ))?)
}

async fn fetch(context: &Context) -> Result<String> {
    let UnlockKey { unlock_key } =
        context.engine.get(Route::new("/swarm/unlockkey")).await.context("could not fetch unlock key")?;
    if unlock_key.is_empty() {
        bail!("no unlock key is set");
    }
    Ok(unlock_key)
}
