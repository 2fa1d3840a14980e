//! A service: what should run, how often and how it is reached.

use model::{Invalid, NetworkId};
use serde::{Deserialize, Serialize};

use crate::omit::{empty, nanoseconds};
use crate::{
    Endpoint, EndpointSpec, Labels, NetworkAttachmentConfig, ObjectVersion, TaskSpec, Time, UpdateConfig,
    UpdateStatus,
};

/// A service as the API shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Service {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version, which an update must name.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it was last written.
    pub updated_at: Time,
    /// What the user asked for.
    pub spec: ServiceSpec,
    /// The spec before the last update.
    #[serde(skip_serializing_if = "empty")]
    pub previous_spec: Option<ServiceSpec>,
    /// Ports and addresses as allocated.
    pub endpoint: Endpoint,
    /// Where the last update stands.
    #[serde(skip_serializing_if = "empty")]
    pub update_status: Option<UpdateStatus>,
    /// Counts of tasks; absent unless asked for.
    #[serde(skip_serializing_if = "empty")]
    pub service_status: Option<ServiceStatus>,
    /// Where a job stands; clients take its presence to mean "is a job".
    #[serde(skip_serializing_if = "empty")]
    pub job_status: Option<JobStatus>,
}

/// Counts of a service's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceStatus {
    /// Tasks that are running, whatever is desired of them.
    pub running_tasks: u64,
    /// Tasks that should run.
    pub desired_tasks: u64,
    /// Tasks of a job that completed.
    pub completed_tasks: u64,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobStatus {
    /// Which run of the job this is.
    pub job_iteration: ObjectVersion,
    /// When it began.
    pub last_execution: Time,
}

/// What a user asks of a service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceSpec {
    /// Unique in the cluster.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Labels of the service itself.
    pub labels: Labels,
    /// What each task is.
    pub task_template: TaskSpec,
    /// How many tasks, and whether they end.
    pub mode: Mode,
    /// How an update rolls out.
    #[serde(skip_serializing_if = "empty")]
    pub update_config: Option<UpdateConfig>,
    /// How a rollback rolls out.
    #[serde(skip_serializing_if = "empty")]
    pub rollback_config: Option<UpdateConfig>,
    /// The old place of a task's networks, read and never written.
    #[serde(skip_serializing)]
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Published ports and endpoint mode.
    #[serde(skip_serializing_if = "empty")]
    pub endpoint_spec: Option<EndpointSpec>,
}

/// How many tasks a service has; one field is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mode {
    /// A number of tasks that run for ever.
    #[serde(skip_serializing_if = "empty")]
    pub replicated: Option<Replicated>,
    /// One task on every eligible node.
    #[serde(skip_serializing_if = "empty")]
    pub global: Option<Nothing>,
    /// A number of tasks that run to completion.
    #[serde(skip_serializing_if = "empty")]
    pub replicated_job: Option<ReplicatedJob>,
    /// One task to completion on every eligible node.
    #[serde(skip_serializing_if = "empty")]
    pub global_job: Option<Nothing>,
}

/// An object without fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Nothing {}

/// A number of tasks that run for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Replicated {
    /// How many; absent means one.
    #[serde(skip_serializing_if = "empty")]
    pub replicas: Option<u64>,
}

/// A number of tasks that run to completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReplicatedJob {
    /// How many may live at a time; absent means one.
    #[serde(skip_serializing_if = "empty")]
    pub max_concurrent: Option<u64>,
    /// How many must complete; absent means as many as may live at a time.
    #[serde(skip_serializing_if = "empty")]
    pub total_completions: Option<u64>,
}

/// The answer to a service's creation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceCreated {
    /// The new service's id.
    #[serde(rename = "ID", skip_serializing_if = "empty")]
    pub id: String,
    /// What the user should know.
    pub warnings: Option<Vec<String>>,
}

/// The answer to a service's update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceUpdated {
    /// What the user should know.
    pub warnings: Option<Vec<String>>,
}

impl Service {
    /// Shows a service; `prefix_of` gives the prefix length of a network's subnet.
    pub fn new(service: &model::Service, prefix_of: &dyn Fn(NetworkId) -> Option<u8>) -> Self {
        let is_job = matches!(service.spec.mode, model::Mode::ReplicatedJob { .. } | model::Mode::GlobalJob);
        Self {
            id: service.id.to_string(),
            version: service.meta.version.into(),
            created_at: service.meta.created_at.into(),
            updated_at: service.meta.updated_at.into(),
            spec: ServiceSpec::from(&service.spec),
            previous_spec: service.previous.as_deref().map(|(spec, _)| ServiceSpec::from(spec)),
            endpoint: Endpoint::new(&service.endpoint, prefix_of),
            update_status: service.update_status.as_ref().map(UpdateStatus::from),
            service_status: None,
            job_status: is_job.then(|| JobStatus {
                job_iteration: ObjectVersion { index: service.spec_version.0.into() },
                last_execution: service.meta.updated_at.into(),
            }),
        }
    }
}

impl TryFrom<ServiceSpec> for model::ServiceSpec {
    type Error = Invalid;

    fn try_from(spec: ServiceSpec) -> Result<Self, Invalid> {
        let ServiceSpec {
            name,
            labels,
            mut task_template,
            mode,
            update_config,
            rollback_config,
            networks,
            endpoint_spec,
        } = spec;
        if task_template.networks.is_empty() {
            task_template.networks = networks;
        }
        Ok(Self {
            name,
            labels,
            mode: mode.try_into()?,
            task: task_template.try_into()?,
            update: update_config.map(model::UpdateConfig::try_from).transpose()?,
            rollback: rollback_config.map(model::UpdateConfig::try_from).transpose()?,
            endpoint: endpoint_spec.unwrap_or_default().try_into()?,
        })
    }
}

impl From<&model::ServiceSpec> for ServiceSpec {
    fn from(spec: &model::ServiceSpec) -> Self {
        let model::ServiceSpec { name, labels, mode, task, update, rollback, endpoint } = spec;
        let mut task_template = TaskSpec::from(task);
        task_template.runtime = "container".into();
        Self {
            name: name.clone(),
            labels: labels.clone(),
            task_template,
            mode: mode.into(),
            update_config: update.as_ref().map(UpdateConfig::from),
            rollback_config: rollback.as_ref().map(UpdateConfig::from),
            networks: Vec::new(),
            endpoint_spec: Some(endpoint.into()),
        }
    }
}

impl TryFrom<Mode> for model::Mode {
    type Error = Invalid;

    fn try_from(mode: Mode) -> Result<Self, Invalid> {
        match mode {
            Mode { replicated, global: None, replicated_job: None, global_job: None } => {
                Ok(Self::Replicated { replicas: replicated.and_then(|mode| mode.replicas).unwrap_or(1) })
            }
            Mode { replicated: None, global: Some(Nothing {}), replicated_job: None, global_job: None } => {
                Ok(Self::Global)
            }
            Mode { replicated: None, global: None, replicated_job: Some(job), global_job: None } => {
                let max_concurrent = job.max_concurrent.unwrap_or(1);
                let total_completions = job.total_completions.unwrap_or(max_concurrent);
                Ok(Self::ReplicatedJob { max_concurrent, total_completions })
            }
            Mode { replicated: None, global: None, replicated_job: None, global_job: Some(Nothing {}) } => {
                Ok(Self::GlobalJob)
            }
            Mode { replicated: _, global: _, replicated_job: _, global_job: _ } => {
                Err(Invalid::because("must specify only one service mode"))
            }
        }
    }
}

impl From<&model::Mode> for Mode {
    fn from(mode: &model::Mode) -> Self {
        match *mode {
            model::Mode::Replicated { replicas } => {
                Self { replicated: Some(Replicated { replicas: Some(replicas) }), ..Self::default() }
            }
            model::Mode::Global => Self { global: Some(Nothing {}), ..Self::default() },
            model::Mode::ReplicatedJob { max_concurrent, total_completions } => Self {
                replicated_job: Some(ReplicatedJob {
                    max_concurrent: Some(max_concurrent),
                    total_completions: Some(total_completions),
                }),
                ..Self::default()
            },
            model::Mode::GlobalJob => Self { global_job: Some(Nothing {}), ..Self::default() },
        }
    }
}

impl ServiceSpec {
    /// Fills in what applies where the user said nothing, as `insertDefaults=true` asks.
    pub fn insert_defaults(&mut self) {
        let is_job = self.mode.replicated_job.is_some() || self.mode.global_job.is_some();
        if let Some(container) = &mut self.task_template.container_spec {
            container.stop_grace_period.get_or_insert(nanoseconds(model::ContainerSpec::STOP_GRACE_DEFAULT));
            container.dns_config.get_or_insert_default();
            if container.isolation.is_empty() {
                container.isolation = "default".into();
            }
        }
        self.task_template.resources.get_or_insert_default();
        self.task_template.placement.get_or_insert_default();
        let restart = self.task_template.restart_policy.get_or_insert_default();
        if restart.condition.is_empty() {
            restart.condition = if is_job { "on-failure" } else { "any" }.into();
        }
        restart.delay.get_or_insert(nanoseconds(model::RestartPolicy::DELAY_DEFAULT));
        restart.max_attempts.get_or_insert(0);
        if !is_job {
            insert_update_defaults(self.update_config.get_or_insert_with(UpdateConfig::defaults));
            insert_update_defaults(self.rollback_config.get_or_insert_with(UpdateConfig::defaults));
        }
        let endpoint = self.endpoint_spec.get_or_insert_default();
        if endpoint.mode.is_empty() {
            endpoint.mode = "vip".into();
        }
    }
}

fn insert_update_defaults(config: &mut UpdateConfig) {
    if config.monitor == 0 {
        config.monitor = UpdateConfig::MONITOR_DEFAULT;
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
