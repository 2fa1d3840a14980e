//! `network rm`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, each, escape_path};
use engine_json::NetworkInspect;

/// Which networks go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of networks
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
    /// Take one that is not there for removed
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    each(context, &arguments.networks, async |context, name| {
        let route = || Route::new(format!("/networks/{}", escape_path(name)));
        // Whatever keeps it from being shown is told when it is to be removed.
        let network = context.engine.get::<NetworkInspect>(route()).await;
        if network.is_ok_and(|network| network.ingress) && !is_sure(context, name).await? {
            return Ok(());
        }
        match context.engine.delete(route()).await {
            Err(error) if arguments.force && error.is_not_found() => Ok(()),
            other => {
                other?;
                Ok(context.console.line(name)?)
            }
        }
    })
    .await
}

async fn is_sure(context: &mut Context, name: &str) -> Result<bool> {
    let question = format!(
        "WARNING! {name} carries published ports: until there is another such network, made with --ingress, no \
         service can publish any on every node.\nAre you sure you want to continue?"
    );
    Ok(context.console.confirm(&question).await?)
}
