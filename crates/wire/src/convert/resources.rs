//! Limits and reservations.

use model::{GenericResource, Reservations, Resources};

use crate::field::{all, each, maybe, optional, required};
use crate::{Error, pb};

impl From<&Resources> for pb::Resources {
    fn from(resources: &Resources) -> Self {
        let Resources { limits, reservations } = resources;
        Self { limits: maybe(limits), reservations: maybe(reservations) }
    }
}

impl TryFrom<pb::Resources> for Resources {
    type Error = Error;

    fn try_from(resources: pb::Resources) -> Result<Self, Error> {
        let pb::Resources { limits, reservations } = resources;
        Ok(Self {
            limits: optional(limits, "limits")?,
            reservations: optional(reservations, "reservations")?,
        })
    }
}

same!(Limits { nano_cpus, memory_bytes, pids });

impl From<&Reservations> for pb::Reservations {
    fn from(reservations: &Reservations) -> Self {
        let Reservations { nano_cpus, memory_bytes, generic } = reservations;
        Self { nano_cpus: *nano_cpus, memory_bytes: *memory_bytes, generic: all(generic) }
    }
}

impl TryFrom<pb::Reservations> for Reservations {
    type Error = Error;

    fn try_from(reservations: pb::Reservations) -> Result<Self, Error> {
        let pb::Reservations { nano_cpus, memory_bytes, generic } = reservations;
        Ok(Self { nano_cpus, memory_bytes, generic: each(generic, "generic")? })
    }
}

impl From<&GenericResource> for pb::GenericResource {
    fn from(resource: &GenericResource) -> Self {
        use pb::generic_resource::{Discrete, Named, Resource};
        let resource = match resource {
            GenericResource::Named { kind, value } => {
                Resource::Named(Named { kind: kind.clone(), value: value.clone() })
            }
            GenericResource::Discrete { kind, value } => {
                Resource::Discrete(Discrete { kind: kind.clone(), value: *value })
            }
        };
        Self { resource: Some(resource) }
    }
}

impl TryFrom<pb::GenericResource> for GenericResource {
    type Error = Error;

    fn try_from(resource: pb::GenericResource) -> Result<Self, Error> {
        use pb::generic_resource::{Discrete, Named, Resource};
        let pb::GenericResource { resource } = resource;
        Ok(match required(resource, "resource")? {
            Resource::Named(Named { kind, value }) => Self::Named { kind, value },
            Resource::Discrete(Discrete { kind, value }) => Self::Discrete { kind, value },
        })
    }
}
