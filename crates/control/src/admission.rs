//! Letting nodes in: the certificate authority's view of the cluster's state.

use async_trait::async_trait;
use consensus::Proposer;
use identity::{Authority, CaSource, JoinToken, NewNode, RootCa, Tokens};
use model::{Availability, NodeId, Role};
use store::Change;
use tonic::Status;

use crate::{Error, cluster::newcomer};

/// Lets nodes in, on any manager.
#[derive(Clone)]
pub struct Admission {
    proposer: Proposer,
}

impl Admission {
    /// Makes the authority's view over this manager's proposer.
    pub fn new(proposer: Proposer) -> Self {
        Self { proposer }
    }
}

#[async_trait]
impl CaSource for Admission {
    async fn authority(&self) -> Result<Authority, Status> {
        // Only a current view knows that a token was rotated on another manager a moment ago.
        let view = self.proposer.current().await.map_err(unavailable)?;
        let cluster = view
            .cluster()
            .ok_or_else(|| Status::unavailable("this manager does not know its cluster yet"))?;
        let token = |text: &str| {
            text.parse::<JoinToken>()
                .map_err(|error| Status::internal(format!("the cluster's join token: {error}")))
        };
        let root = RootCa::from_pem(&cluster.root_ca.certificate_pem, Some(&cluster.root_ca.key_pem))
            .map_err(|error| Status::internal(format!("the cluster's root certificate: {error}")))?;
        Ok(Authority {
            root,
            cluster_id: cluster.id.to_string(),
            tokens: Tokens {
                worker: token(&cluster.join_tokens.worker)?,
                manager: token(&cluster.join_tokens.manager)?,
            },
            validity: cluster.spec.certificate_validity,
        })
    }

    async fn admit(&self, node: NewNode) -> Result<(), Status> {
        let NewNode { node_id, role, availability } = node;
        let id = parsed(&node_id)?;
        let availability = match availability.as_str() {
            "" | "active" => Availability::Active,
            "pause" => Availability::Pause,
            "drain" => Availability::Drain,
            other => return Err(Status::invalid_argument(format!("invalid availability: {other:?}"))),
        };
        let node = newcomer(id, role_of(role), availability);
        let admitted = self.proposer.update(|view| {
            if view.node(id).is_some() {
                return Ok::<_, Error>(Vec::new());
            }
            Ok(vec![Change::Put(node.clone().into())])
        });
        admitted.await.map(|_| ()).map_err(unavailable)
    }

    async fn role(&self, node_id: &str) -> Result<identity::Role, Status> {
        let id = parsed(node_id)?;
        let view = self.proposer.current().await.map_err(unavailable)?;
        match view.node(id).map(|node| node.spec.role) {
            Some(Role::Worker) => Ok(identity::Role::Worker),
            Some(Role::Manager) => Ok(identity::Role::Manager),
            None => Err(Status::permission_denied(format!("node {node_id} is not part of this cluster"))),
        }
    }
}

fn role_of(role: identity::Role) -> Role {
    match role {
        identity::Role::Worker => Role::Worker,
        identity::Role::Manager => Role::Manager,
    }
}

fn parsed(node_id: &str) -> Result<NodeId, Status> {
    node_id.parse().map_err(|error: model::NotAnId| Status::invalid_argument(error.to_string()))
}

fn unavailable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}
