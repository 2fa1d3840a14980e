//! `swarm update`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route};
use engine_json::Swarm;

use super::settings::Settings;
use super::{Rotate, unlock_key};

/// What changes in the cluster's settings.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.settings.is_empty() {
        bail!("nothing to update: give at least one setting; 'drover swarm update --help' lists them");
    }
    let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
    let mut spec = swarm.spec;
    let was_locking = spec.encryption_config.auto_lock_managers;
    arguments.settings.apply(&mut spec)?;
    context.engine.post_plain(Rotate::Nothing.route(swarm.version.index), &spec).await?;
    context.console.line("Swarm updated.")?;
    if spec.encryption_config.auto_lock_managers && !was_locking {
        unlock_key::tell(context).await?;
    }
    Ok(())
}
