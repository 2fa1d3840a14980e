//! A service: what should run, how often and how it is reached.

use crate::{
    ContainerSpec, Endpoint, EndpointSpec, Invalid, Labels, LogDriver, Meta, Placement, Predefined,
    Resources, RestartPolicy, ServiceId, SpecId, SpecVersion, UpdateConfig, UpdateStatus, check_name,
    port_label,
};

/// A service of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its id. Written by: `control`.
    pub id: ServiceId,
    /// Version and times.
    pub meta: Meta,
    /// What the user asked for. Written by: `control`, and by a rollback in `orchestrator`.
    pub spec: ServiceSpec,
    /// Which version of the task template `spec` is. Written as `spec`.
    pub spec_version: SpecVersion,
    /// The spec before the last update, for a rollback. Written as `spec`.
    pub previous: Option<Box<(ServiceSpec, SpecVersion)>>,
    /// The highest spec version ever given out. Written by: `control`.
    pub spec_version_max: SpecVersion,
    /// Ports and virtual addresses as allocated. Written by: `allocator`.
    pub endpoint: Endpoint,
    /// Where the last update stands. Written by: `orchestrator`; cleared by `control` on update.
    pub update_status: Option<UpdateStatus>,
}

impl Service {
    /// Returns the key of the current task template.
    pub fn spec_id(&self) -> SpecId {
        SpecId { service: self.id, version: self.spec_version }
    }
}

/// What a user asks of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// Unique in the cluster.
    pub name: String,
    /// Labels of the service itself.
    pub labels: Labels,
    /// How many tasks, and whether they end.
    pub mode: Mode,
    /// What each task is.
    pub task: TaskSpec,
    /// How an update rolls out; absent means one at a time, stop first, pause on failure.
    pub update: Option<UpdateConfig>,
    /// How a rollback rolls out; absent as for `update`.
    pub rollback: Option<UpdateConfig>,
    /// Published ports and endpoint mode.
    pub endpoint: EndpointSpec,
}

impl ServiceSpec {
    /// Checks everything that can be checked without the cluster.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_name(&self.name)?;
        self.task.validate()?;
        let is_job = matches!(self.mode, Mode::ReplicatedJob { .. } | Mode::GlobalJob);
        if is_job && (self.update.is_some() || self.rollback.is_some()) {
            return Err(Invalid::because("update and rollback configuration is not allowed for jobs"));
        }
        for config in [&self.update, &self.rollback].into_iter().flatten() {
            config.validate()?;
        }
        self.endpoint.validate()?;
        port_label::validate(&self.labels, &self.endpoint)?;
        self.networks()
    }

    fn networks(&self) -> Result<(), Invalid> {
        let wishes = &self.task.networks;
        for (at, wish) in wishes.iter().enumerate() {
            if wishes[..at].iter().any(|other| other.target == wish.target) {
                return Err(Invalid::because(format!("network {} is named twice", wish.target)));
            }
            if let Some(alias) = wish.aliases.iter().find(|alias| !is_host_name(alias)) {
                return Err(Invalid::because(format!(
                    "invalid alias {alias:?} on network {}: use letters, digits, '-', '_' and '.', at most 63 between dots",
                    wish.target
                )));
            }
        }
        let is_host = |wish: &NetworkAttachment| Predefined::find(&wish.target) == Some(Predefined::Host);
        if !wishes.iter().any(is_host) {
            return Ok(());
        }
        if wishes.len() > 1 {
            return Err(Invalid::because("a service on the host network cannot be on others beside it"));
        }
        if self.endpoint.ingress_ports().next().is_some() {
            return Err(Invalid::because(
                "a service on the host network has the node's own ports: publish them with mode=host, or not at all",
            ));
        }
        Ok(())
    }
}

/// Claims that a name can be asked for.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// How many tasks a service has, and whether they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// A number of tasks that run for ever.
    Replicated {
        /// How many.
        replicas: u64,
    },
    /// One task on every eligible node, for ever.
    Global,
    /// A number of tasks that run to completion.
    ReplicatedJob {
        /// How many may live at a time.
        max_concurrent: u64,
        /// How many must complete.
        total_completions: u64,
    },
    /// One task to completion on every eligible node.
    GlobalJob,
}

/// What each task of a service is.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// The container.
    pub container: ContainerSpec,
    /// Limits and reservations.
    pub resources: Option<Resources>,
    /// When and how often a task that ended is replaced; absent means always, after 5 s.
    pub restart: Option<RestartPolicy>,
    /// Which nodes it may run on.
    pub placement: Option<Placement>,
    /// Networks it is attached to beside the ingress network.
    pub networks: Vec<NetworkAttachment>,
    /// Where its output goes; absent means the node's default.
    pub log_driver: Option<LogDriver>,
    /// A counter; raising it replaces every task.
    pub force_update: u64,
}

impl TaskSpec {
    fn validate(&self) -> Result<(), Invalid> {
        self.container.validate()?;
        if let Some(resources) = &self.resources {
            resources.validate()?;
        }
        if let Some(placement) = &self.placement {
            placement.validate()?;
        }
        Ok(())
    }
}

/// A wish to be attached to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// The network's id, as text; the user may have written a name.
    pub target: String,
    /// Further names on that network.
    pub aliases: Vec<String>,
    /// Options for the driver.
    pub driver_opts: Labels,
}
