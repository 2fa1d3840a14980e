//! One replica of a service.

use model::NetworkId;
use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{Labels, Network, NetworkAttachment, ObjectVersion, PortConfig, TaskSpec, Time};

/// A task as the API shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Task {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it was last written.
    pub updated_at: Time,
    /// Never written: clients compose a task's name themselves.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Labels of the task itself.
    pub labels: Labels,
    /// What it is made from.
    pub spec: TaskSpec,
    /// Its service.
    #[serde(rename = "ServiceID", skip_serializing_if = "empty")]
    pub service_id: String,
    /// Its place among the replicas.
    #[serde(skip_serializing_if = "empty")]
    pub slot: u32,
    /// Its node, once placed.
    #[serde(rename = "NodeID", skip_serializing_if = "empty")]
    pub node_id: String,
    /// How far it is.
    pub status: TaskStatus,
    /// What it should become.
    #[serde(skip_serializing_if = "empty")]
    pub desired_state: String,
    /// Its places on networks.
    #[serde(skip_serializing_if = "empty")]
    pub networks_attachments: Vec<NetworkAttachment>,
    /// Which run of a job it belongs to; absent otherwise.
    #[serde(skip_serializing_if = "empty")]
    pub job_iteration: Option<ObjectVersion>,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskStatus {
    /// When the state was reached.
    pub timestamp: Time,
    /// The state.
    #[serde(skip_serializing_if = "empty")]
    pub state: String,
    /// What happened.
    #[serde(skip_serializing_if = "empty")]
    pub message: String,
    /// Why it waits or failed.
    #[serde(skip_serializing_if = "empty")]
    pub err: String,
    /// The container, once there is one.
    #[serde(skip_serializing_if = "empty")]
    pub container_status: Option<ContainerStatus>,
    /// Host-mode ports.
    pub port_status: PortStatus,
}

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerStatus {
    /// Its id.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The process id on its node.
    #[serde(rename = "PID")]
    pub pid: u32,
    /// Its exit code, once it ended.
    pub exit_code: i32,
}

/// Host-mode ports of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortStatus {
    /// The ports as its node gave them out.
    #[serde(skip_serializing_if = "empty")]
    pub ports: Vec<PortConfig>,
}

impl Task {
    /// Shows a task made from `spec`; `network_of` finds the networks it has addresses on.
    pub fn new<'a>(
        task: &model::Task,
        spec: &model::Spec,
        network_of: &dyn Fn(NetworkId) -> Option<&'a model::Network>,
    ) -> Self {
        let attachments = task.addresses.iter().filter_map(|model::TaskAddress { network, address }| {
            let network = network_of(*network)?;
            let addresses = match network.subnet {
                Some(subnet) => vec![format!("{address}/{}", subnet.prefix)],
                None => vec![address.to_string()],
            };
            Some(NetworkAttachment { network: Network::new(network), addresses })
        });
        let wishes = spec.task.networks.iter();
        let predefined = wishes.filter_map(|wish| model::Predefined::find(&wish.target)).map(|network| {
            NetworkAttachment { network: Network::predefined(network), addresses: Vec::new() }
        });
        Self {
            id: task.id.to_string(),
            version: task.meta.version.into(),
            created_at: task.meta.created_at.into(),
            updated_at: task.meta.updated_at.into(),
            name: String::new(),
            labels: Labels::new(),
            spec: TaskSpec::from(&spec.task),
            service_id: task.service.to_string(),
            slot: task.slot,
            node_id: task.node.map(|node| node.to_string()).unwrap_or_default(),
            status: TaskStatus::from(&task.status),
            desired_state: task.desired.as_str().into(),
            networks_attachments: attachments.chain(predefined).collect(),
            job_iteration: None,
        }
    }
}

impl From<&model::TaskStatus> for TaskStatus {
    fn from(status: &model::TaskStatus) -> Self {
        let model::TaskStatus { state, at, message, err, container, ports } = status;
        Self {
            timestamp: (*at).into(),
            state: state.as_str().into(),
            message: message.clone(),
            err: err.clone(),
            container_status: container.as_deref().map(ContainerStatus::from),
            port_status: PortStatus { ports: ports.iter().map(PortConfig::from).collect() },
        }
    }
}

impl From<&model::ContainerStatus> for ContainerStatus {
    fn from(model::ContainerStatus { container_id, pid, exit_code }: &model::ContainerStatus) -> Self {
        Self { container_id: container_id.clone(), pid: *pid, exit_code: *exit_code }
    }
}
