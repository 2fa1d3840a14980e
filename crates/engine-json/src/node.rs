//! A host of the cluster.

use model::{Availability, Invalid, Role};
use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{GenericResource, Labels, ObjectVersion, Platform, Time};

/// A host as the API shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Node {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version, which an update must name.
    pub version: ObjectVersion,
    /// When it was admitted.
    pub created_at: Time,
    /// When it was last written.
    pub updated_at: Time,
    /// What the user asks of it.
    pub spec: NodeSpec,
    /// What it says of itself.
    pub description: NodeDescription,
    /// Whether it is there.
    pub status: NodeStatus,
    /// Its part in deciding; absent for workers.
    #[serde(skip_serializing_if = "empty")]
    pub manager_status: Option<ManagerStatus>,
}

/// What a user asks of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeSpec {
    /// A free name.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Labels for constraints and spread.
    pub labels: Labels,
    /// `worker` or `manager`.
    #[serde(skip_serializing_if = "empty")]
    pub role: String,
    /// `active`, `pause` or `drain`.
    #[serde(skip_serializing_if = "empty")]
    pub availability: String,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeDescription {
    /// The hostname.
    #[serde(skip_serializing_if = "empty")]
    pub hostname: String,
    /// Operating system and processor.
    pub platform: Platform,
    /// What it has.
    pub resources: NodeResources,
    /// The engine.
    pub engine: EngineDescription,
    /// Who signed its certificate.
    #[serde(rename = "TLSInfo")]
    pub tls_info: TlsInfo,
}

/// What a node has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeResources {
    /// Billionths of a CPU.
    #[serde(rename = "NanoCPUs", skip_serializing_if = "empty")]
    pub nano_cpus: u64,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "empty")]
    pub memory_bytes: u64,
    /// Resources declared in its configuration.
    #[serde(skip_serializing_if = "empty")]
    pub generic_resources: Vec<GenericResource>,
}

/// The engine of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EngineDescription {
    /// Its version.
    #[serde(skip_serializing_if = "empty")]
    pub engine_version: String,
    /// Labels of the daemon's configuration.
    #[serde(skip_serializing_if = "empty")]
    pub labels: Labels,
    /// Drivers it has.
    #[serde(skip_serializing_if = "empty")]
    pub plugins: Vec<Plugin>,
}

/// A driver of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Plugin {
    /// `Network`, `Volume` or `Log`.
    #[serde(rename = "Type", skip_serializing_if = "empty")]
    pub kind: String,
    /// Its name.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
}

/// Who signed a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TlsInfo {
    /// The root certificate, PEM.
    #[serde(skip_serializing_if = "empty")]
    pub trust_root: String,
    /// The issuer's subject, DER in base64.
    #[serde(skip_serializing_if = "empty")]
    pub cert_issuer_subject: String,
    /// The issuer's public key, DER in base64.
    #[serde(skip_serializing_if = "empty")]
    pub cert_issuer_public_key: String,
}

/// Whether a node is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeStatus {
    /// `unknown`, `down`, `ready` or `disconnected`.
    #[serde(skip_serializing_if = "empty")]
    pub state: String,
    /// Why.
    #[serde(skip_serializing_if = "empty")]
    pub message: String,
    /// Its address.
    #[serde(skip_serializing_if = "empty")]
    pub addr: String,
}

/// A manager's part in deciding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ManagerStatus {
    /// Whether it leads.
    #[serde(skip_serializing_if = "empty")]
    pub leader: bool,
    /// `unknown`, `unreachable` or `reachable`.
    #[serde(skip_serializing_if = "empty")]
    pub reachability: String,
    /// Where other managers reach it.
    #[serde(skip_serializing_if = "empty")]
    pub addr: String,
}

impl Node {
    /// Shows a node; who leads and who signed is not in the object itself.
    pub fn new(node: &model::Node, manager_status: Option<ManagerStatus>, tls_info: TlsInfo) -> Self {
        let mut description = node.description.as_deref().map(NodeDescription::from).unwrap_or_default();
        description.tls_info = tls_info;
        Self {
            id: node.id.to_string(),
            version: node.meta.version.into(),
            created_at: node.meta.created_at.into(),
            updated_at: node.meta.updated_at.into(),
            spec: NodeSpec::from(&node.spec),
            description,
            status: NodeStatus::from(&node.status),
            manager_status,
        }
    }
}

impl From<&model::Description> for NodeDescription {
    fn from(description: &model::Description) -> Self {
        let model::Description { hostname, platform, nano_cpus, memory_bytes, generic, engine } = description;
        let model::Engine { version, labels, plugins } = engine;
        let plugins =
            plugins.iter().map(|plugin| Plugin { kind: plugin.kind.clone(), name: plugin.name.clone() });
        Self {
            hostname: hostname.clone(),
            platform: platform.into(),
            resources: NodeResources {
                nano_cpus: *nano_cpus,
                memory_bytes: *memory_bytes,
                generic_resources: generic.iter().map(GenericResource::from).collect(),
            },
            engine: EngineDescription {
                engine_version: version.clone(),
                labels: labels.clone(),
                plugins: plugins.collect(),
            },
            tls_info: TlsInfo::default(),
        }
    }
}

impl From<&model::NodeStatus> for NodeStatus {
    fn from(model::NodeStatus { state, message, address }: &model::NodeStatus) -> Self {
        Self {
            state: state.as_str().into(),
            message: message.clone(),
            addr: address.map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

impl From<&model::NodeSpec> for NodeSpec {
    fn from(model::NodeSpec { name, labels, role, availability }: &model::NodeSpec) -> Self {
        Self {
            name: name.clone(),
            labels: labels.clone(),
            role: role.as_str().into(),
            availability: availability.as_str().into(),
        }
    }
}

impl TryFrom<NodeSpec> for model::NodeSpec {
    type Error = Invalid;

    fn try_from(NodeSpec { name, labels, role, availability }: NodeSpec) -> Result<Self, Invalid> {
        let role = match role.to_ascii_lowercase().as_str() {
            "worker" => Role::Worker,
            "manager" => Role::Manager,
            _ => return Err(Invalid::because(format!("invalid Role: {role:?}: use worker or manager"))),
        };
        Ok(Self { name, labels, role, availability: read_availability(&availability)? })
    }
}

/// Reads an availability, which must be given.
pub(crate) fn read_availability(text: &str) -> Result<Availability, Invalid> {
    match text.to_ascii_lowercase().as_str() {
        "active" => Ok(Availability::Active),
        "pause" => Ok(Availability::Pause),
        "drain" => Ok(Availability::Drain),
        _ => Err(Invalid::because(format!("invalid Availability: {text:?}: use active, pause or drain"))),
    }
}
