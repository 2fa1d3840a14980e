//! What each task of a service is.

use model::{Invalid, RestartCondition};
use serde::{Deserialize, Serialize};

use crate::omit::{duration, empty, nanoseconds};
use crate::{ContainerSpec, Driver, NetworkAttachmentConfig, Platform, Resources};

/// What each task of a service is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskSpec {
    /// The container.
    #[serde(skip_serializing_if = "empty")]
    pub container_spec: Option<ContainerSpec>,
    /// Limits and reservations.
    #[serde(skip_serializing_if = "empty")]
    pub resources: Option<Resources>,
    /// When a task that ended is replaced.
    #[serde(skip_serializing_if = "empty")]
    pub restart_policy: Option<RestartPolicy>,
    /// Which nodes it may run on.
    #[serde(skip_serializing_if = "empty")]
    pub placement: Option<Placement>,
    /// Networks it is attached to.
    #[serde(skip_serializing_if = "empty")]
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Where its output goes.
    #[serde(skip_serializing_if = "empty")]
    pub log_driver: Option<Driver>,
    /// A counter; raising it replaces every task.
    pub force_update: u64,
    /// `container`; a service shows it, a task does not.
    #[serde(skip_serializing_if = "empty")]
    pub runtime: String,
}

/// When and how often a task that ended is replaced; durations in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `none`, `on-failure` or `any`; empty means `any`.
    #[serde(skip_serializing_if = "empty")]
    pub condition: String,
    /// The pause before the replacement starts.
    #[serde(skip_serializing_if = "empty")]
    pub delay: Option<i64>,
    /// How often within the window.
    #[serde(skip_serializing_if = "empty")]
    pub max_attempts: Option<u64>,
    /// Over which time attempts count.
    #[serde(skip_serializing_if = "empty")]
    pub window: Option<i64>,
}

/// Which nodes a task may run on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Placement {
    /// Claims about the node.
    #[serde(skip_serializing_if = "empty")]
    pub constraints: Vec<String>,
    /// What tasks are spread over.
    #[serde(skip_serializing_if = "empty")]
    pub preferences: Vec<Preference>,
    /// How many tasks one node may run.
    #[serde(skip_serializing_if = "empty")]
    pub max_replicas: u64,
    /// Platforms of which the node must be one.
    #[serde(skip_serializing_if = "empty")]
    pub platforms: Vec<Platform>,
}

/// What tasks are spread over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Preference {
    /// The only kind of preference there is.
    pub spread: Option<SpreadOver>,
}

/// A label over whose values tasks are spread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SpreadOver {
    /// Such as `node.labels.rack`.
    pub spread_descriptor: String,
}

impl TryFrom<TaskSpec> for model::TaskSpec {
    type Error = Invalid;

    fn try_from(spec: TaskSpec) -> Result<Self, Invalid> {
        let TaskSpec {
            container_spec,
            resources,
            restart_policy,
            placement,
            networks,
            log_driver,
            force_update,
            runtime,
        } = spec;
        if !matches!(runtime.as_str(), "" | "container") {
            return Err(Invalid::because(format!(
                "unsupported runtime: {runtime:?}, only \"container\" exists"
            )));
        }
        let Some(container) = container_spec else {
            return Err(Invalid::because(
                "mismatched Runtime and *Spec fields: a ContainerSpec must be given",
            ));
        };
        Ok(Self {
            container: container.try_into()?,
            resources: resources.map(model::Resources::try_from).transpose()?,
            restart: restart_policy.map(model::RestartPolicy::try_from).transpose()?,
            placement: placement.map(model::Placement::from),
            networks: networks.into_iter().map(model::NetworkAttachment::from).collect(),
            log_driver: log_driver.map(model::LogDriver::from),
            force_update,
        })
    }
}

impl From<&model::TaskSpec> for TaskSpec {
    fn from(spec: &model::TaskSpec) -> Self {
        let model::TaskSpec { container, resources, restart, placement, networks, log_driver, force_update } =
            spec;
        Self {
            container_spec: Some(container.into()),
            resources: resources.as_ref().map(Resources::from),
            restart_policy: restart.as_ref().map(RestartPolicy::from),
            placement: placement.as_ref().map(Placement::from),
            networks: networks.iter().map(NetworkAttachmentConfig::from).collect(),
            log_driver: log_driver.as_ref().map(Driver::from),
            force_update: *force_update,
            runtime: String::new(),
        }
    }
}

impl TryFrom<RestartPolicy> for model::RestartPolicy {
    type Error = Invalid;

    fn try_from(policy: RestartPolicy) -> Result<Self, Invalid> {
        let RestartPolicy { condition, delay, max_attempts, window } = policy;
        let condition = match condition.as_str() {
            "" | "any" => RestartCondition::Any,
            "on-failure" => RestartCondition::OnFailure,
            "none" => RestartCondition::None,
            other => return Err(Invalid::because(format!("invalid RestartCondition: {other:?}"))),
        };
        Ok(Self {
            condition,
            delay: delay.map(|delay| duration(delay, "TaskSpec: restart-delay")).transpose()?,
            max_attempts: max_attempts.unwrap_or(0),
            window: duration(window.unwrap_or(0), "TaskSpec: restart-window")?,
        })
    }
}

impl From<&model::RestartPolicy> for RestartPolicy {
    fn from(policy: &model::RestartPolicy) -> Self {
        let model::RestartPolicy { condition, delay, max_attempts, window } = policy;
        let condition = match condition {
            RestartCondition::None => "none",
            RestartCondition::OnFailure => "on-failure",
            RestartCondition::Any => "any",
        };
        Self {
            condition: condition.into(),
            delay: delay.map(nanoseconds),
            max_attempts: Some(*max_attempts),
            window: (!window.is_zero()).then(|| nanoseconds(*window)),
        }
    }
}

impl From<Placement> for model::Placement {
    fn from(Placement { constraints, preferences, max_replicas, platforms }: Placement) -> Self {
        let spread = preferences.into_iter().filter_map(|preference| preference.spread);
        Self {
            constraints,
            spread: spread.map(|over| over.spread_descriptor).collect(),
            max_replicas,
            platforms: platforms.into_iter().map(model::Platform::from).collect(),
        }
    }
}

impl From<&model::Placement> for Placement {
    fn from(placement: &model::Placement) -> Self {
        let model::Placement { constraints, spread, max_replicas, platforms } = placement;
        let preferences = spread.iter().map(|descriptor| Preference {
            spread: Some(SpreadOver { spread_descriptor: descriptor.clone() }),
        });
        Self {
            constraints: constraints.clone(),
            preferences: preferences.collect(),
            max_replicas: *max_replicas,
            platforms: platforms.iter().map(Platform::from).collect(),
        }
    }
}
