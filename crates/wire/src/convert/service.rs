//! A service and its task template.

use model::{Mode, Service, ServiceSpec, SpecVersion, TaskSpec};

use crate::field::{all, each, maybe, nested, optional, required};
use crate::{Error, pb};

impl From<&Service> for pb::Service {
    fn from(service: &Service) -> Self {
        let Service { id, meta, spec, spec_version, previous, spec_version_max, endpoint, update_status } =
            service;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            spec: Some(spec.into()),
            spec_version: spec_version.0,
            previous: previous.as_deref().map(|previous| Box::new(previous.into())),
            spec_version_max: spec_version_max.0,
            endpoint: Some(endpoint.into()),
            update_status: maybe(update_status),
        }
    }
}

impl TryFrom<pb::Service> for Service {
    type Error = Error;

    fn try_from(service: pb::Service) -> Result<Self, Error> {
        let pb::Service { id, meta, spec, spec_version, previous, spec_version_max, endpoint, update_status } =
            service;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            spec: nested(spec, "spec")?,
            spec_version: SpecVersion(spec_version),
            previous: optional(previous.map(|previous| *previous), "previous")?.map(Box::new),
            spec_version_max: SpecVersion(spec_version_max),
            endpoint: nested(endpoint, "endpoint")?,
            update_status: optional(update_status, "update_status")?,
        })
    }
}

impl From<&(ServiceSpec, SpecVersion)> for pb::PreviousSpec {
    fn from((spec, version): &(ServiceSpec, SpecVersion)) -> Self {
        Self { spec: Some(spec.into()), version: version.0 }
    }
}

impl TryFrom<pb::PreviousSpec> for (ServiceSpec, SpecVersion) {
    type Error = Error;

    fn try_from(previous: pb::PreviousSpec) -> Result<Self, Error> {
        let pb::PreviousSpec { spec, version } = previous;
        Ok((nested(spec, "spec")?, SpecVersion(version)))
    }
}

impl From<&ServiceSpec> for pb::ServiceSpec {
    fn from(spec: &ServiceSpec) -> Self {
        let ServiceSpec { name, labels, mode, task, update, rollback, endpoint } = spec;
        Self {
            name: name.clone(),
            labels: labels.clone(),
            mode: Some(mode.into()),
            task: Some(task.into()),
            update: maybe(update),
            rollback: maybe(rollback),
            endpoint: Some(endpoint.into()),
        }
    }
}

impl TryFrom<pb::ServiceSpec> for ServiceSpec {
    type Error = Error;

    fn try_from(spec: pb::ServiceSpec) -> Result<Self, Error> {
        let pb::ServiceSpec { name, labels, mode, task, update, rollback, endpoint } = spec;
        Ok(Self {
            name,
            labels,
            mode: nested(mode, "mode")?,
            task: nested(task, "task")?,
            update: optional(update, "update")?,
            rollback: optional(rollback, "rollback")?,
            endpoint: nested(endpoint, "endpoint")?,
        })
    }
}

impl From<&Mode> for pb::Mode {
    fn from(mode: &Mode) -> Self {
        use pb::mode::{Global, GlobalJob, Kind, Replicated, ReplicatedJob};
        let kind = match mode {
            Mode::Replicated { replicas } => Kind::Replicated(Replicated { replicas: *replicas }),
            Mode::Global => Kind::Global(Global {}),
            Mode::ReplicatedJob { max_concurrent, total_completions } => Kind::ReplicatedJob(ReplicatedJob {
                max_concurrent: *max_concurrent,
                total_completions: *total_completions,
            }),
            Mode::GlobalJob => Kind::GlobalJob(GlobalJob {}),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Mode> for Mode {
    type Error = Error;

    fn try_from(mode: pb::Mode) -> Result<Self, Error> {
        use pb::mode::{Global, GlobalJob, Kind, Replicated, ReplicatedJob};
        let pb::Mode { kind } = mode;
        Ok(match required(kind, "kind")? {
            Kind::Replicated(Replicated { replicas }) => Self::Replicated { replicas },
            Kind::Global(Global {}) => Self::Global,
            Kind::ReplicatedJob(ReplicatedJob { max_concurrent, total_completions }) => {
                Self::ReplicatedJob { max_concurrent, total_completions }
            }
            Kind::GlobalJob(GlobalJob {}) => Self::GlobalJob,
        })
    }
}

impl From<&TaskSpec> for pb::TaskSpec {
    fn from(spec: &TaskSpec) -> Self {
        let TaskSpec { container, resources, restart, placement, networks, log_driver, force_update } = spec;
        Self {
            container: Some(container.into()),
            resources: maybe(resources),
            restart: maybe(restart),
            placement: maybe(placement),
            networks: all(networks),
            log_driver: maybe(log_driver),
            force_update: *force_update,
        }
    }
}

impl TryFrom<pb::TaskSpec> for TaskSpec {
    type Error = Error;

    fn try_from(spec: pb::TaskSpec) -> Result<Self, Error> {
        let pb::TaskSpec { container, resources, restart, placement, networks, log_driver, force_update } =
            spec;
        Ok(Self {
            container: nested(container, "container")?,
            resources: optional(resources, "resources")?,
            restart: optional(restart, "restart")?,
            placement: optional(placement, "placement")?,
            networks: each(networks, "networks")?,
            log_driver: optional(log_driver, "log_driver")?,
            force_update,
        })
    }
}

same!(NetworkAttachment { target, aliases, driver_opts });
