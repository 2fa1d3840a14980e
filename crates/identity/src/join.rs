//! How a node comes by its first certificate, and by the following ones.

use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::pb;
use wire::pb::ca_client::CaClient;

use crate::channel::connect_with;
use crate::node::{self, NodeIdentity, SigningRequest};
use crate::root::{self, RootCa};
use crate::tls::newcomer_config;
use crate::token::JoinToken;

/// Covers the connection and the manager's commit of the newcomer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a node could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody answers, or not in time, or not in our protocol.
    #[error("no manager answers at {address}: {reason}")]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// The cluster's root certificate is not the one the token names.
    #[error("remote CA does not match fingerprint: {address} belongs to another cluster than the join token")]
    Fingerprint {
        /// The address that was tried.
        address: String,
    },
    /// The manager refuses, in its own words.
    #[error("{message}")]
    Refused {
        /// The manager's words.
        message: String,
    },
    /// The manager sent a root certificate that cannot be used.
    #[error("use the root certificate of {address}")]
    Root {
        /// The manager's address.
        address: String,
        /// What is wrong with it.
        source: root::Error,
    },
    /// The manager sent a certificate that does not fit.
    #[error("use the certificate that {address} issued")]
    Certificate {
        /// The manager's address.
        address: String,
        /// What is wrong with it.
        source: node::Error,
    },
    /// No key could be made.
    #[error(transparent)]
    Request(node::Error),
}

/// Why a certificate could not be renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The call failed or was refused.
    #[error("ask a manager to renew the certificate of node {node_id}: {}", .status.message())]
    Call {
        /// The node.
        node_id: String,
        /// The answer.
        status: Box<Status>,
    },
    /// No key could be made, or the answer does not fit.
    #[error("use the renewed certificate")]
    Identity(#[from] node::Error),
    /// The answer is for somebody else.
    #[error("a manager renewed the certificate of node {node_id} with one for node {other}")]
    OtherNode {
        /// The node.
        node_id: String,
        /// The node the certificate names.
        other: String,
    },
}

/// Joins the cluster of the manager at `remote` (`HOST:PORT`) with a token.
///
/// The cluster's root is fetched over an unverified connection and must have the token's digest;
/// the token is only shown over a second connection, to a manager certified by that root.
pub async fn join(remote: &str, token: &JoinToken, availability: &str) -> Result<NodeIdentity, JoinError> {
    let root = fetch_root(remote).await?;
    if root.digest() != *token.root_digest() {
        return Err(JoinError::Fingerprint { address: remote.to_owned() });
    }
    let certificate_error = |source| JoinError::Certificate { address: remote.to_owned(), source };
    let anchors = root.anchors().map_err(|source| JoinError::Root { address: remote.to_owned(), source })?;
    let SigningRequest { request_pem, key_pem } = SigningRequest::generate().map_err(JoinError::Request)?;
    let request = pb::IssueRequest {
        token: token.to_string(),
        csr_pem: request_pem,
        availability: availability.to_owned(),
    };
    let mut client = CaClient::new(connect_with(remote, newcomer_config(Some(anchors))));
    let issued = within(client.issue(request)).await.map_err(|status| refusal(remote, status))?;
    NodeIdentity::from_pem(&issued.certificate_pem, &key_pem, &issued.root_pem).map_err(certificate_error)
}

/// Has the node's certificate renewed over a channel that shows it; the role may be another one.
pub async fn renew(channel: Channel, identity: &NodeIdentity) -> Result<NodeIdentity, RenewError> {
    let SigningRequest { request_pem, key_pem } = SigningRequest::generate()?;
    let mut client = CaClient::new(channel);
    let issued = within(client.renew(pb::RenewRequest { csr_pem: request_pem })).await.map_err(|status| {
        RenewError::Call { node_id: identity.node_id().to_owned(), status: Box::new(status) }
    })?;
    let renewed = NodeIdentity::from_pem(&issued.certificate_pem, &key_pem, &issued.root_pem)?;
    if renewed.node_id() != identity.node_id() {
        return Err(RenewError::OtherNode {
            node_id: identity.node_id().to_owned(),
            other: renewed.node_id().to_owned(),
        });
    }
    Ok(renewed)
}

async fn fetch_root(remote: &str) -> Result<RootCa, JoinError> {
    let mut client = CaClient::new(connect_with(remote, newcomer_config(None)));
    let answer =
        within(client.get_root(pb::GetRootRequest {})).await.map_err(|status| refusal(remote, status))?;
    RootCa::from_pem(&answer.root_pem, None)
        .map_err(|source| JoinError::Root { address: remote.to_owned(), source })
}

async fn within<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))),
    }
}

/// Tells a manager's refusal from a connection that never came about.
fn refusal(remote: &str, status: Status) -> JoinError {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => {
            JoinError::Unreachable { address: remote.to_owned(), reason: status.message().to_owned() }
        }
        _ => JoinError::Refused { message: status.message().to_owned() },
    }
}
