//! `service create`

use anyhow::{Result, bail};
use clap::Args;
use engine_json::{
    ContainerSpec, DnsConfig, EndpointSpec, Limits, Mode, NetworkAttachmentConfig, NetworkInspect, Nothing,
    Placement, Preference, Replicated, ReplicatedJob, Reservations, Resources, ServiceCreated, ServiceSpec,
    SpreadOver, TaskSpec,
};

use super::scalars::Scalars;
use super::{Waiting, converge, image, mount, pairs, port};
use crate::engine::{Route, escape_path};
use crate::reference::with_tag;
use crate::{Context, credentials};

/// What the service is.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image, and what replaces its command
    #[arg(value_names = ["IMAGE", "COMMAND"], required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<String>,
    /// The service's name
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// How many tasks, and whether they end
    #[arg(long, value_parser = ["replicated", "global", "replicated-job", "global-job"], default_value = "replicated")]
    mode: String,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// What a node must be, such as `node.role==worker`
    #[arg(long, value_name = "CONSTRAINT")]
    constraint: Vec<String>,
    /// A label of the containers
    #[arg(long, value_name = "KEY=VALUE")]
    container_label: Vec<String>,
    /// The address of a resolver
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// An option of the resolver
    #[arg(long, value_name = "OPTION")]
    dns_option: Vec<String>,
    /// A search domain
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// An environment variable
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = pairs::variable)]
    env: Vec<String>,
    /// A file of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// A counted resource that a node keeps for a task
    #[arg(long, value_name = "KIND=COUNT", value_parser = pairs::generic_resource)]
    generic_resource: Vec<engine_json::GenericResource>,
    /// A further group of the user
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// A line of `/etc/hosts`
    #[arg(long, value_name = "HOST:ADDRESS", value_parser = pairs::host)]
    host: Vec<String>,
    /// A label of the service
    #[arg(short, long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Something mounted, `type=,source=,target=,…`
    #[arg(long, value_name = "MOUNT", value_parser = mount::parse)]
    mount: Vec<engine_json::Mount>,
    /// A network, or `name=,alias=,driver-opt=`
    #[arg(long, value_name = "NETWORK", value_parser = pairs::network)]
    network: Vec<NetworkAttachmentConfig>,
    /// What tasks are spread over, such as `spread=node.labels.rack`
    #[arg(long, value_name = "PREFERENCE", value_parser = pairs::spread)]
    placement_pref: Vec<String>,
    /// A published port, `PUBLISHED:TARGET[/PROTOCOL]` or `published=,target=,protocol=,mode=`
    #[arg(short, long, value_name = "PORT", value_parser = Ports::parse)]
    publish: Vec<Ports>,
    /// A kernel parameter
    #[arg(long, value_name = "KEY=VALUE")]
    sysctl: Vec<String>,
    /// A limit of the containers' processes, `NAME=SOFT[:HARD]`
    #[arg(long, value_name = "LIMIT", value_parser = pairs::ulimit)]
    ulimit: Vec<engine_json::Ulimit>,
    #[command(flatten)]
    scalars: Scalars,
    #[command(flatten)]
    waiting: Waiting,
}

/// The ports of one flag, which may name a range.
#[derive(Debug, Clone)]
pub(super) struct Ports(pub Vec<engine_json::PortConfig>);

impl Ports {
    pub(super) fn parse(text: &str) -> Result<Self> {
        port::parse(text).map(Self)
    }
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut spec = spec(&arguments)?;
    for network in &mut spec.task_template.networks {
        network.target = network_id(context, &network.target).await?;
    }
    if !arguments.scalars.no_resolve_image {
        image::pin(context, &mut spec).await?;
    }
    let mut route = Route::new("/services/create");
    if arguments.scalars.with_registry_auth {
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

/// Builds the spec, as the docker CLI would.
fn spec(arguments: &Arguments) -> Result<ServiceSpec> {
    let Some((image, words)) = arguments.command.split_first() else { bail!("an image must be given") };
    let mut spec = ServiceSpec {
        name: arguments.name.clone(),
        labels: arguments.label.iter().map(|label| pairs::label(label)).collect(),
        mode: mode(arguments)?,
        task_template: TaskSpec {
            container_spec: Some(container(arguments, image, words)?),
            resources: Some(Resources {
                limits: Some(Limits::default()),
                reservations: Some(Reservations {
                    generic_resources: arguments.generic_resource.clone(),
                    ..Reservations::default()
                }),
            }),
            placement: Some(Placement {
                constraints: arguments.constraint.clone(),
                preferences: arguments.placement_pref.iter().cloned().map(preference).collect(),
                ..Placement::default()
            }),
            networks: arguments.network.clone(),
            ..TaskSpec::default()
        },
        endpoint_spec: Some(EndpointSpec {
            mode: "vip".into(),
            ports: arguments.publish.iter().flat_map(|ports| ports.0.clone()).collect(),
        }),
        ..ServiceSpec::default()
    };
    arguments.scalars.apply(&mut spec)?;
    let is_job = spec.mode.replicated_job.is_some() || spec.mode.global_job.is_some();
    if is_job && (spec.update_config.is_some() || spec.rollback_config.is_some()) {
        bail!("update and rollback configuration is not supported for jobs");
    }
    Ok(spec)
}

fn preference(label: String) -> Preference {
    Preference { spread: Some(SpreadOver { spread_descriptor: label }) }
}

fn mode(arguments: &Arguments) -> Result<Mode> {
    let mut mode = Mode::default();
    match arguments.mode.as_str() {
        "global" => mode.global = Some(Nothing {}),
        "global-job" => mode.global_job = Some(Nothing {}),
        // A job completes as often as it has replicas; without a word on either, once.
        "replicated-job" => {
            let count = arguments.scalars.replicas.unwrap_or(1);
            mode.replicated_job =
                Some(ReplicatedJob { max_concurrent: Some(count), total_completions: Some(count) });
        }
        _ => mode.replicated = Some(Replicated::default()),
    }
    Ok(mode)
}

fn container(arguments: &Arguments, image: &str, words: &[String]) -> Result<ContainerSpec> {
    let mut env = Vec::new();
    for file in &arguments.env_file {
        pairs::variables(file)?.into_iter().for_each(|variable| pairs::set_variable(&mut env, variable));
    }
    arguments.env.iter().for_each(|variable| pairs::set_variable(&mut env, variable.clone()));
    Ok(ContainerSpec {
        image: with_tag(image),
        args: words.to_vec(),
        labels: arguments.container_label.iter().map(|label| pairs::label(label)).collect(),
        env,
        groups: arguments.group.clone(),
        init: Some(false),
        mounts: arguments.mount.clone(),
        hosts: arguments.host.clone(),
        dns_config: Some(DnsConfig {
            nameservers: arguments.dns.clone(),
            search: arguments.dns_search.clone(),
            options: arguments.dns_option.clone(),
        }),
        sysctls: arguments.sysctl.iter().map(|parameter| pairs::label(parameter)).collect(),
        capability_add: arguments.cap_add.iter().map(|name| pairs::capability(name)).collect(),
        capability_drop: arguments.cap_drop.iter().map(|name| pairs::capability(name)).collect(),
        ulimits: arguments.ulimit.clone(),
        ..ContainerSpec::default()
    })
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
