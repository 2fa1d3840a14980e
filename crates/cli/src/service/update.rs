//! `service update`

use anyhow::{Result, bail};
use clap::Args;
use engine_json::ServiceSpec;

use super::create::network_id;
use super::edit::Edits;
use super::scalars::Scalars;
use super::{Kind, Waiting, converge, find, image, rollback, words, write};
use crate::Context;
use crate::reference::with_tag;

/// What changes in a service.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service's name or id
    service: String,
    /// What replaces the image's command
    #[arg(long, value_name = "COMMAND")]
    args: Option<String>,
    /// The image
    #[arg(long)]
    image: Option<String>,
    /// Replace every task although nothing changes
    #[arg(long)]
    force: bool,
    /// Go back to the spec before the last update
    #[arg(long)]
    rollback: bool,
    #[command(flatten)]
    edits: Edits,
    #[command(flatten)]
    scalars: Scalars,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.rollback {
        return rollback::go_back(context, &arguments.service, &arguments.waiting).await;
    }
    let service = find(context, &arguments.service).await?;
    let mut spec = service.spec.clone();
    change(&mut spec, &arguments)?;
    networks(context, &mut spec, &arguments.edits).await?;
    if arguments.image.is_some() && !arguments.scalars.no_resolve_image {
        image::pin(context, &mut spec).await?;
    }
    let kind = if arguments.scalars.with_registry_auth { Kind::ChangeWithAuth } else { Kind::Change };
    write(context, &service, &spec, kind).await?;
    context.console.line(&arguments.service)?;
    if arguments.waiting.is_detached() {
        return Ok(());
    }
    converge::wait(context, &arguments.service, &arguments.waiting).await
}

fn change(spec: &mut ServiceSpec, arguments: &Arguments) -> Result<()> {
    arguments.edits.apply(spec);
    arguments.scalars.apply(spec)?;
    let container = spec.task_template.container_spec.get_or_insert_default();
    if let Some(image) = &arguments.image {
        container.image = with_tag(image);
    }
    if let Some(args) = &arguments.args {
        container.args = words::shell(args)?;
    }
    if arguments.force {
        spec.task_template.force_update += 1;
    }
    Ok(())
}

async fn networks(context: &Context, spec: &mut ServiceSpec, edits: &Edits) -> Result<()> {
    let networks = &mut spec.task_template.networks;
    for name in &edits.network_rm {
        let id = network_id(context, name).await?;
        networks.retain(|known| known.target != id && known.target != *name);
    }
    for added in &edits.network_add {
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
