//! What a new service is.

use clap::Args;
use engine_json::{
    ContainerSpec, DnsConfig, EndpointSpec, GenericResource, Labels, Limits, Mode, Mount,
    NetworkAttachmentConfig, Nothing, Placement, Preference, Replicated, ReplicatedJob, Reservations,
    Resources, ServiceSpec, SpreadOver, TaskSpec, Ulimit,
};
use flags::text::{capability, pair};
use flags::{Result, refuse};
use format::reference::with_tag;

use crate::pairs::Environment;
use crate::port::Ports;
use crate::scalars::Scalars;
use crate::{mount, pairs};

/// The flags that say what a new service is.
#[derive(Debug, Args)]
pub struct Creation {
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
    generic_resource: Vec<GenericResource>,
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
    mount: Vec<Mount>,
    /// A network, or `name=,alias=,driver-opt=`
    #[arg(long, value_name = "NETWORK", value_parser = pairs::network)]
    network: Vec<NetworkAttachmentConfig>,
    /// What tasks are spread over, such as `spread=node.labels.rack`
    #[arg(long, value_name = "PREFERENCE", value_parser = pairs::spread)]
    placement_pref: Vec<String>,
    /// A published port, `PUBLISHED:TARGET[/PROTOCOL]` or `published=,target=,protocol=,mode=`, with `app_protocol=http`
    /// for requests that are balanced each by itself, or `proxy_protocol=v1` or `v2` for a header with the client's
    /// address
    #[arg(short, long, value_name = "PORT", value_parser = Ports::parse)]
    publish: Vec<Ports>,
    /// A kernel parameter
    #[arg(long, value_name = "KEY=VALUE")]
    sysctl: Vec<String>,
    /// A limit of the containers' processes, `NAME=SOFT[:HARD]`
    #[arg(long, value_name = "LIMIT", value_parser = pairs::ulimit)]
    ulimit: Vec<Ulimit>,
    #[command(flatten)]
    scalars: Scalars,
}

impl Creation {
    /// Builds the spec, as the docker CLI would; networks stand in it as they were named.
    pub fn spec(&self, environment: Environment<'_>) -> Result<ServiceSpec> {
        let Some((image, words)) = self.command.split_first() else {
            return refuse("an image must be given");
        };
        let mut spec = ServiceSpec {
            name: self.name.clone(),
            labels: self.labels(),
            mode: self.mode(),
            task_template: TaskSpec {
                container_spec: Some(self.container(image, words, environment)?),
                resources: Some(Resources {
                    limits: Some(Limits::default()),
                    reservations: Some(Reservations {
                        generic_resources: self.generic_resource.clone(),
                        ..Reservations::default()
                    }),
                }),
                placement: Some(Placement {
                    constraints: self.constraint.clone(),
                    preferences: self.placement_pref.iter().cloned().map(preference).collect(),
                    ..Placement::default()
                }),
                networks: self.network.clone(),
                ..TaskSpec::default()
            },
            endpoint_spec: Some(EndpointSpec {
                mode: "vip".into(),
                ports: self.publish.iter().flat_map(|ports| ports.configs.clone()).collect(),
            }),
            ..ServiceSpec::default()
        };
        self.scalars.apply(&mut spec)?;
        let is_job = spec.mode.replicated_job.is_some() || spec.mode.global_job.is_some();
        if is_job && (spec.update_config.is_some() || spec.rollback_config.is_some()) {
            return refuse("update and rollback configuration is not supported for jobs");
        }
        Ok(spec)
    }

    fn labels(&self) -> Labels {
        let own = self.label.iter().map(|text| pair(text));
        own.chain(self.publish.iter().flat_map(|ports| ports.labels.clone())).collect()
    }

    fn mode(&self) -> Mode {
        let mut mode = Mode::default();
        match self.mode.as_str() {
            "global" => mode.global = Some(Nothing {}),
            "global-job" => mode.global_job = Some(Nothing {}),
            // A job completes as often as it has replicas; without a word on either, once.
            "replicated-job" => {
                let count = self.scalars.replicas.unwrap_or(1);
                mode.replicated_job =
                    Some(ReplicatedJob { max_concurrent: Some(count), total_completions: Some(count) });
            }
            _ => mode.replicated = Some(Replicated::default()),
        }
        mode
    }

    fn container(
        &self,
        image: &str,
        words: &[String],
        environment: Environment<'_>,
    ) -> Result<ContainerSpec> {
        let mut env = Vec::new();
        let mut set = |variable: &str| pairs::set_variable(&mut env, pairs::completed(variable, environment));
        for file in &self.env_file {
            pairs::variables(file)?.iter().for_each(|variable| set(variable));
        }
        self.env.iter().for_each(|variable| set(variable));
        Ok(ContainerSpec {
            image: with_tag(image),
            args: words.to_vec(),
            labels: self.container_label.iter().map(|text| pair(text)).collect(),
            env,
            groups: self.group.clone(),
            init: Some(false),
            mounts: self.mount.clone(),
            hosts: self.host.clone(),
            dns_config: Some(DnsConfig {
                nameservers: self.dns.clone(),
                search: self.dns_search.clone(),
                options: self.dns_option.clone(),
            }),
            sysctls: self.sysctl.iter().map(|text| pair(text)).collect(),
            capability_add: self.cap_add.iter().map(|name| capability(name)).collect(),
            capability_drop: self.cap_drop.iter().map(|name| capability(name)).collect(),
            ulimits: self.ulimit.clone(),
            ..ContainerSpec::default()
        })
    }
}

fn preference(label: String) -> Preference {
    Preference { spread: Some(SpreadOver { spread_descriptor: label }) }
}

#[cfg(test)]
#[path = "creation_tests.rs"]
mod tests;
