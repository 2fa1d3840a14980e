//! What the tasks of one spec ask of a node.

use model::{
    Constraint, GenericResource, MountKind, Operator, Platform, Protocol, ServiceId, Spec, TaskSpec,
};

/// What a task keeps for itself on its node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Needs {
    pub(crate) nano_cpus: u64,
    pub(crate) memory_bytes: u64,
    /// How many of each kind of resource that nodes declare.
    pub(crate) generic: Vec<(String, i64)>,
    /// Ports of the node itself.
    pub(crate) host_ports: Vec<HostPort>,
}

/// A port of a node.
pub(crate) type HostPort = (u16, Protocol);

/// A driver that a node must have.
#[derive(Debug, PartialEq)]
pub(crate) struct Driver {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

/// What the tasks of one spec ask of a node.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) service: ServiceId,
    pub(crate) needs: Needs,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) drivers: Vec<Driver>,
    /// How many tasks of the service a node may have; 0 means without limit.
    pub(crate) max_replicas: u64,
    /// Labels over which the tasks are spread, outermost first.
    pub(crate) spread: Vec<String>,
}

impl Request {
    pub(crate) fn of(spec: &Spec) -> Self {
        let placement = spec.task.placement.clone().unwrap_or_default();
        Self {
            service: spec.id.service,
            needs: Needs::of(spec),
            constraints: placement.constraints.iter().map(|text| read(text)).collect(),
            platforms: placement.platforms,
            drivers: drivers(&spec.task),
            max_replicas: placement.max_replicas,
            spread: placement.spread,
        }
    }
}

/// Reads a constraint. Control accepts none that cannot be read; such a one would hold nowhere, as it has no key.
fn read(text: &str) -> Constraint {
    let unreadable = |_| Constraint { key: String::new(), operator: Operator::Equal, value: text.to_owned() };
    text.parse().unwrap_or_else(unreadable)
}

impl Needs {
    pub(crate) fn of(spec: &Spec) -> Self {
        let resources = spec.task.resources.as_ref();
        let kept = resources.and_then(|resources| resources.reservations.clone()).unwrap_or_default();
        let ports = spec.endpoint.host_ports().filter(|port| port.published != 0);
        Self {
            nano_cpus: kept.nano_cpus,
            memory_bytes: kept.memory_bytes,
            generic: kept.generic.iter().map(amount).collect(),
            host_ports: ports.map(|port| (port.published, port.protocol)).collect(),
        }
    }

    pub(crate) fn has_reservation(&self) -> bool {
        self.nano_cpus > 0 || self.memory_bytes > 0 || !self.generic.is_empty()
    }

    pub(crate) fn is_nothing(&self) -> bool {
        !self.has_reservation() && self.host_ports.is_empty()
    }
}

/// Returns the kind and the number of a resource; a named one is one of its kind.
pub(crate) fn amount(resource: &GenericResource) -> (String, i64) {
    match resource {
        GenericResource::Named { kind, value: _ } => (kind.clone(), 1),
        GenericResource::Discrete { kind, value } => (kind.clone(), *value),
    }
}

/// The log drivers that every node has.
const LOG_DRIVERS: [&str; 3] = ["none", "json-file", "local"];

fn drivers(task: &TaskSpec) -> Vec<Driver> {
    let volumes = task.container.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume(volume) => volume.driver.as_ref().map(|(name, _)| name.clone()),
        MountKind::Bind(_) | MountKind::Tmpfs(_) | MountKind::Image { .. } => None,
    });
    let volumes = volumes.filter(|name| !matches!(name.as_str(), "" | "local"));
    let log = task.log_driver.iter().map(|driver| driver.name.clone());
    let log = log.filter(|name| !name.is_empty() && !LOG_DRIVERS.contains(&name.as_str()));
    let volumes = volumes.map(|name| Driver { kind: "Volume", name });
    volumes.chain(log.map(|name| Driver { kind: "Log", name })).collect()
}
