//! The certificate authority's gRPC service, as every manager runs it.

use std::time::{Duration, SystemTime};

use tonic::{Request, Response, Status, async_trait};
use wire::pb;

use crate::base36;
use crate::peer::{Peer, require_node};
use crate::role::Role;
use crate::root::{self, RootCa, Subject};
use crate::token::JoinToken;

/// The words a wrong or rotated token is refused with.
pub(crate) const TOKEN_REFUSED: &str = "A valid join token is necessary to join this cluster";

/// The tokens that are valid.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Admits workers.
    pub worker: JoinToken,
    /// Admits managers.
    pub manager: JoinToken,
}

/// What it takes to sign certificates for a cluster.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The root, with its key.
    pub root: RootCa,
    /// The cluster's id.
    pub cluster_id: String,
    /// The tokens newcomers may show.
    pub tokens: Tokens,
    /// How long a node's certificate is valid.
    pub validity: Duration,
}

/// A newcomer with a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// The id that was drawn for it.
    pub node_id: String,
    /// The role its token grants.
    pub role: Role,
    /// The availability it asks for, as it was sent: `active`, `pause` or `drain`.
    pub availability: String,
}

/// The cluster's state, as far as certificates depend on it.
#[async_trait]
pub trait CaSource: Send + Sync + 'static {
    /// Returns what signing takes; called for every request, so that rotations take effect.
    async fn authority(&self) -> Result<Authority, Status>;

    /// Records a newcomer, before it is given its certificate.
    async fn admit(&self, node: NewNode) -> Result<(), Status>;

    /// Returns the role a node should have, or `permission_denied` if it was removed.
    async fn role(&self, node_id: &str) -> Result<Role, Status>;
}

/// Answers newcomers and renewing nodes over a [`CaSource`].
#[derive(Debug)]
pub struct CaServer<S> {
    source: S,
}

impl<S: CaSource> CaServer<S> {
    /// Returns the gRPC service over `source`.
    pub fn service(source: S) -> pb::ca_server::CaServer<Self> {
        pb::ca_server::CaServer::new(Self { source })
    }
}

#[async_trait]
impl<S: CaSource> pb::ca_server::Ca for CaServer<S> {
    async fn get_root(
        &self,
        _request: Request<pb::GetRootRequest>,
    ) -> Result<Response<pb::GetRootResponse>, Status> {
        let authority = self.source.authority().await?;
        Ok(Response::new(pb::GetRootResponse { root_pem: authority.root.certificate_pem().to_owned() }))
    }

    async fn issue(&self, request: Request<pb::IssueRequest>) -> Result<Response<pb::IssueResponse>, Status> {
        let pb::IssueRequest { token, csr_pem, availability } = request.into_inner();
        let authority = self.source.authority().await?;
        let role = granted(&authority.tokens, &token)?;
        let node_id = base36::random_id();
        // Signing comes first: a bad request then leaves no node behind.
        let response = sign(&authority, &csr_pem, &node_id, role)?;
        self.source.admit(NewNode { node_id, role, availability }).await?;
        Ok(Response::new(response))
    }

    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::IssueResponse>, Status> {
        let Peer { node_id, .. } = require_node(&request)?;
        let pb::RenewRequest { csr_pem } = request.into_inner();
        let role = self.source.role(&node_id).await?;
        let authority = self.source.authority().await?;
        Ok(Response::new(sign(&authority, &csr_pem, &node_id, role)?))
    }
}

/// Both tokens are always compared, so that the time tells nothing about which one was near.
fn granted(tokens: &Tokens, shown: &str) -> Result<Role, Status> {
    if shown.is_empty() {
        return Err(Status::invalid_argument(TOKEN_REFUSED));
    }
    let shown: JoinToken = shown.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?;
    let Tokens { worker, manager } = tokens;
    match (worker.matches(&shown), manager.matches(&shown)) {
        (_, true) => Ok(Role::Manager),
        (true, false) => Ok(Role::Worker),
        (false, false) => Err(Status::invalid_argument(TOKEN_REFUSED)),
    }
}

fn sign(
    authority: &Authority,
    request_pem: &str,
    node_id: &str,
    role: Role,
) -> Result<pb::IssueResponse, Status> {
    let subject = Subject { node_id, role, cluster_id: &authority.cluster_id };
    let certificate_pem = authority
        .root
        .issue(request_pem, subject, authority.validity, SystemTime::now())
        .map_err(|error| match error {
        root::Error::Request(_) => Status::invalid_argument(error.to_string()),
        root::Error::Certificate(_)
        | root::Error::Key(_)
        | root::Error::Mismatch
        | root::Error::NoKey
        | root::Error::Anchor(_)
        | root::Error::Sign(_) => Status::internal(error.to_string()),
    })?;
    Ok(pb::IssueResponse {
        node_id: node_id.to_owned(),
        role: role.to_string(),
        certificate_pem,
        root_pem: authority.root.certificate_pem().to_owned(),
    })
}
