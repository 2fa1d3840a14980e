//! A version of what a service's tasks are made from.

use crate::{EndpointSpec, Labels, Meta, ServiceId, TaskSpec};

/// Counts the versions of a service's task template, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpecVersion(pub u32);

/// The key of a [`Spec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecId {
    /// The service.
    pub service: ServiceId,
    /// Which version of it.
    pub version: SpecVersion,
}

/// What tasks of one spec version are made from. It lives as long as a task refers to it, also
/// when its service is gone. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its key. Written by: `control`.
    pub id: SpecId,
    /// Version and times.
    pub meta: Meta,
    /// The service's name at that time. Written by: `control`.
    pub service_name: String,
    /// The service's labels at that time. Written by: `control`.
    pub service_labels: Labels,
    /// The task template. Written by: `control`.
    pub task: TaskSpec,
    /// The published ports and endpoint mode. Written by: `control`.
    pub endpoint: EndpointSpec,
}
