//! `service update`

use anyhow::{Result, bail};
use clap::Args;
use client::Context;
use engine_json::ServiceSpec;
use service_flags::Change;

use super::create::network_id;
use super::{Kind, Registry, Waiting, converge, environment, find, image, rollback, write};

/// What changes in a service.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service's name or id
    service: String,
    /// Go back to the spec before the last update
    #[arg(long)]
    rollback: bool,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.rollback {
        return rollback::go_back(context, &arguments.service, &arguments.waiting).await;
    }
    let service = find(context, &arguments.service).await?;
    let mut spec = service.spec.clone();
    arguments.change.apply(&mut spec, &environment)?;
    networks(context, &mut spec, &arguments.change).await?;
    if arguments.change.has_image() && !arguments.registry.no_resolve_image {
        image::pin(context, &mut spec).await?;
    }
    let kind = if arguments.registry.with_registry_auth { Kind::ChangeWithAuth } else { Kind::Change };
    write(context, &service, &spec, kind).await?;
    context.console.line(&arguments.service)?;
    if arguments.waiting.is_detached() {
        return Ok(());
    }
    converge::wait(context, &arguments.service, &arguments.waiting).await
}

async fn networks(context: &Context, spec: &mut ServiceSpec, change: &Change) -> Result<()> {
    let networks = &mut spec.task_template.networks;
    for name in change.networks_left() {
        let id = network_id(context, name).await?;
        networks.retain(|known| known.target != id && known.target != *name);
    }
    for added in change.networks_joined() {
        let mut network = added.clone();
        network.target = network_id(context, &added.target).await?;
        if networks.iter().any(|known| known.target == network.target) {
            bail!("service is already attached to network {}", added.target);
        }
        networks.push(network);
    }
    Ok(())
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
