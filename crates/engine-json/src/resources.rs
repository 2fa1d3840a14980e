//! What a task may use, what is kept for it, and what nodes have.

use model::Invalid;
use serde::{Deserialize, Serialize};

use crate::omit::empty;

/// Limits and reservations of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resources {
    /// What it may use at the most.
    #[serde(skip_serializing_if = "empty")]
    pub limits: Option<Limits>,
    /// What its node keeps for it.
    #[serde(skip_serializing_if = "empty")]
    pub reservations: Option<Reservations>,
}

/// What a task may use at the most; 0 means without limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Limits {
    /// Billionths of a CPU.
    #[serde(rename = "NanoCPUs", skip_serializing_if = "empty")]
    pub nano_cpus: i64,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "empty")]
    pub memory_bytes: i64,
    /// Number of processes and threads.
    #[serde(skip_serializing_if = "empty")]
    pub pids: i64,
}

/// What a node keeps for a task, or has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reservations {
    /// Billionths of a CPU.
    #[serde(rename = "NanoCPUs", skip_serializing_if = "empty")]
    pub nano_cpus: i64,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "empty")]
    pub memory_bytes: i64,
    /// Counted or named resources.
    #[serde(skip_serializing_if = "empty")]
    pub generic_resources: Vec<GenericResource>,
}

/// A resource that a node declares; one of its two fields is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GenericResource {
    /// One of a kind, known by name.
    #[serde(skip_serializing_if = "empty")]
    pub named_resource_spec: Option<NamedResource>,
    /// A number of a kind.
    #[serde(skip_serializing_if = "empty")]
    pub discrete_resource_spec: Option<DiscreteResource>,
}

/// A resource known by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NamedResource {
    /// The kind.
    #[serde(skip_serializing_if = "empty")]
    pub kind: String,
    /// Which one.
    #[serde(skip_serializing_if = "empty")]
    pub value: String,
}

/// A counted resource.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiscreteResource {
    /// The kind.
    #[serde(skip_serializing_if = "empty")]
    pub kind: String,
    /// How many.
    #[serde(skip_serializing_if = "empty")]
    pub value: i64,
}

/// A platform as in Swarm: `linux`, `x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Platform {
    /// The processor.
    #[serde(skip_serializing_if = "empty")]
    pub architecture: String,
    /// The operating system.
    #[serde(rename = "OS", skip_serializing_if = "empty")]
    pub os: String,
}

impl From<Platform> for model::Platform {
    fn from(Platform { architecture, os }: Platform) -> Self {
        Self { architecture, os }
    }
}

impl From<&model::Platform> for Platform {
    fn from(model::Platform { architecture, os }: &model::Platform) -> Self {
        Self { architecture: architecture.clone(), os: os.clone() }
    }
}

impl TryFrom<Resources> for model::Resources {
    type Error = Invalid;

    fn try_from(Resources { limits, reservations }: Resources) -> Result<Self, Invalid> {
        Ok(Self {
            limits: limits.map(model::Limits::try_from).transpose()?,
            reservations: reservations.map(model::Reservations::try_from).transpose()?,
        })
    }
}

impl From<&model::Resources> for Resources {
    fn from(model::Resources { limits, reservations }: &model::Resources) -> Self {
        Self {
            limits: limits.as_ref().map(Limits::from),
            reservations: reservations.as_ref().map(Reservations::from),
        }
    }
}

fn nano_cpus(value: i64) -> Result<u64, Invalid> {
    u64::try_from(value).map_err(|_| {
        Invalid::because(format!("invalid cpu value {}: Must be at least 0.001", value as f64 / 1e9))
    })
}

fn memory_bytes(value: i64) -> Result<u64, Invalid> {
    u64::try_from(value)
        .map_err(|_| Invalid::because(format!("invalid memory value {value}: Must be at least 4MiB")))
}

fn shown(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl TryFrom<Limits> for model::Limits {
    type Error = Invalid;

    fn try_from(limits: Limits) -> Result<Self, Invalid> {
        Ok(Self {
            nano_cpus: nano_cpus(limits.nano_cpus)?,
            memory_bytes: memory_bytes(limits.memory_bytes)?,
            // Docker takes a negative number for "without limit".
            pids: u64::try_from(limits.pids).unwrap_or(0),
        })
    }
}

impl From<&model::Limits> for Limits {
    fn from(model::Limits { nano_cpus, memory_bytes, pids }: &model::Limits) -> Self {
        Self { nano_cpus: shown(*nano_cpus), memory_bytes: shown(*memory_bytes), pids: shown(*pids) }
    }
}

impl TryFrom<Reservations> for model::Reservations {
    type Error = Invalid;

    fn try_from(kept: Reservations) -> Result<Self, Invalid> {
        Ok(Self {
            nano_cpus: nano_cpus(kept.nano_cpus)?,
            memory_bytes: memory_bytes(kept.memory_bytes)?,
            generic: kept
                .generic_resources
                .into_iter()
                .map(model::GenericResource::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&model::Reservations> for Reservations {
    fn from(model::Reservations { nano_cpus, memory_bytes, generic }: &model::Reservations) -> Self {
        Self {
            nano_cpus: shown(*nano_cpus),
            memory_bytes: shown(*memory_bytes),
            generic_resources: generic.iter().map(GenericResource::from).collect(),
        }
    }
}

impl TryFrom<GenericResource> for model::GenericResource {
    type Error = Invalid;

    fn try_from(resource: GenericResource) -> Result<Self, Invalid> {
        match resource {
            GenericResource { discrete_resource_spec: Some(DiscreteResource { kind, value }), .. } => {
                Ok(Self::Discrete { kind, value })
            }
            GenericResource { named_resource_spec: Some(NamedResource { kind, value }), .. } => {
                Ok(Self::Named { kind, value })
            }
            GenericResource { named_resource_spec: None, discrete_resource_spec: None } => {
                Err(Invalid::because("invalid generic resource: neither named nor discrete"))
            }
        }
    }
}

impl From<&model::GenericResource> for GenericResource {
    fn from(resource: &model::GenericResource) -> Self {
        match resource {
            model::GenericResource::Named { kind, value } => Self {
                named_resource_spec: Some(NamedResource { kind: kind.clone(), value: value.clone() }),
                discrete_resource_spec: None,
            },
            model::GenericResource::Discrete { kind, value } => Self {
                named_resource_spec: None,
                discrete_resource_spec: Some(DiscreteResource { kind: kind.clone(), value: *value }),
            },
        }
    }
}
