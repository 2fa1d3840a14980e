//! This host's place in a cluster.

use async_trait::async_trait;
use control::Control;
use engine_json as json;
use model::NodeId;

use crate::error::ApiError;

/// This host's place in a cluster. Whether a change of it is allowed, and with which words it is
/// refused, is decided here alone.
#[async_trait]
pub trait Swarm: Send + Sync + 'static {
    /// Returns what this host is in a cluster.
    fn membership(&self) -> Membership;

    /// Founds a cluster with this host as its first manager.
    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError>;

    /// Makes this host part of a cluster.
    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError>;

    /// Takes this host out of its cluster.
    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError>;

    /// Makes a join token for a cluster with this root certificate (PEM).
    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError>;
}

/// What a host is in a cluster.
#[derive(Clone)]
pub struct Membership {
    /// How far it is.
    pub state: LocalState,
    /// Its node, once it is part of a cluster.
    pub node: Option<NodeId>,
    /// Its own address towards other nodes; empty outside a cluster.
    pub address: String,
    /// Managers it knows: node id and address.
    pub managers: Vec<(String, String)>,
    /// What went wrong, in the state `Error`.
    pub error: String,
    /// The cluster's verbs, on a manager.
    pub control: Option<Control>,
}

/// How far a host is with being part of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalState {
    /// It is alone.
    Inactive,
    /// It is joining.
    Pending,
    /// It is part of one.
    Active,
    /// It was part of one and cannot go on.
    Error,
}

impl LocalState {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Error => "error",
        }
    }
}
