//! This host's place in a cluster, for the Engine API.

use async_trait::async_trait;
use docker_api::ApiError;
use docker_api::engine::{Membership, Swarm};
use engine_json as json;
use identity::{JoinToken, RootCa};
use model::NodeId;

use super::Engine;

#[async_trait]
impl Swarm for Engine {
    fn membership(&self) -> Membership {
        self.member.membership()
    }

    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError> {
        self.member.init(request).await
    }

    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError> {
        self.member.join(request).await
    }

    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError> {
        self.member.leave(force).await
    }

    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError> {
        let root = RootCa::from_pem(root_certificate_pem, None);
        let root =
            root.map_err(|error| ApiError::internal(format!("the cluster's root certificate: {error}")))?;
        Ok(JoinToken::generate(&root).to_string())
    }
}
