//! `swarm`: the cluster itself.

mod ca;
mod init;
mod inspect;
mod join;
mod join_token;
mod leave;
mod membership;
mod settings;
mod unlock;
mod unlock_key;
mod update;

use anyhow::Result;
use clap::Subcommand;
use client::Context;

/// What to do with the cluster.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the root certificate
    Ca(ca::Arguments),
    /// Found a cluster
    Init(init::Arguments),
    /// Show the cluster in full
    Inspect(inspect::Arguments),
    /// Join a cluster
    Join(join::Arguments),
    /// Show or replace what lets nodes join
    JoinToken(join_token::Arguments),
    /// Leave the cluster
    Leave(leave::Arguments),
    /// Unlock this manager after a restart
    Unlock,
    /// Show or replace the key that unlocks managers
    UnlockKey(unlock_key::Arguments),
    /// Change the cluster's settings
    Update(update::Arguments),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Ca(arguments) => ca::run(context, arguments).await,
            Self::Init(arguments) => init::run(context, arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Join(arguments) => join::run(context, arguments).await,
            Self::JoinToken(arguments) => join_token::run(context, arguments).await,
            Self::Leave(arguments) => leave::run(context, arguments).await,
            Self::Unlock => unlock::run(context).await,
            Self::UnlockKey(arguments) => unlock_key::run(context, arguments).await,
            Self::Update(arguments) => update::run(context, arguments).await,
        }
    }
}

/// Says which tokens or keys an update replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rotate {
    Nothing,
    WorkerToken,
    ManagerToken,
    UnlockKey,
}

impl Rotate {
    fn route(self, version: u64) -> client::Route {
        let yes = |which| if self == which { "true" } else { "false" };
        client::Route::new("/swarm/update")
            .with("version", version.to_string())
            .with("rotateWorkerToken", yes(Self::WorkerToken))
            .with("rotateManagerToken", yes(Self::ManagerToken))
            .with("rotateManagerUnlockKey", yes(Self::UnlockKey))
    }
}
