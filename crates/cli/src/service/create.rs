//! `service create`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, credentials, escape_path};
use engine_json::{NetworkInspect, ServiceCreated, ServiceSpec};
use service_flags::Creation;

use super::{Registry, Waiting, converge, environment, image};

/// What the service is.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    creation: Creation,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut spec = arguments.creation.spec(&environment)?;
    for network in &mut spec.task_template.networks {
        network.target = network_id(context, &network.target).await?;
    }
    if !arguments.registry.no_resolve_image {
        image::pin(context, &mut spec).await?;
    }
    let mut route = Route::new("/services/create");
    if arguments.registry.with_registry_auth {
        route = route.authorized(credentials::header(image_of(&spec)));
    }
    let created: ServiceCreated = context.engine.post(route, &spec).await?;
    created.warnings.iter().flatten().for_each(|warning| context.console.complain(warning));
    context.console.line(&created.id)?;
    if arguments.waiting.is_detached() {
        return Ok(());
    }
    converge::wait(context, &created.id, &arguments.waiting).await
}

/// Returns the image of a service.
pub(super) fn image_of(spec: &ServiceSpec) -> &str {
    spec.task_template.container_spec.as_ref().map(|container| container.image.as_str()).unwrap_or_default()
}

/// Finds a network by name or id.
pub(super) async fn network_id(context: &Context, name: &str) -> Result<String> {
    let route = Route::new(format!("/networks/{}", escape_path(name))).with("scope", "swarm");
    Ok(context.engine.get::<NetworkInspect>(route).await?.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fake;

    #[tokio::test]
    async fn short_flags_join_and_what_is_detached_does_not_wait() {
        let answers = fake::answers([("POST /services/create", json!({"ID": "abc"}))]);

        let outcome = fake::run("service create -dt --no-resolve-image nginx", answers).await;

        assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("abc\n", ""));
        assert_eq!(outcome.requests.len(), 1);
        assert_eq!(outcome.requests[0].1["TaskTemplate"]["ContainerSpec"]["TTY"], json!(true));
    }
}
