//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use tonic::{Request, Status};

use crate::certificate::Statement;
use crate::role::Role;

/// A node that proved its identity with a certificate of this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The node's id.
    pub node_id: String,
    /// The role its certificate grants.
    pub role: Role,
    /// When the certificate ends; a connection may outlive it.
    pub not_after: SystemTime,
}

/// What a handler knows of its caller; [`serve`](crate::serve) puts it in every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The address the connection came from.
    pub remote: Option<SocketAddr>,
    /// The node, if it showed a certificate.
    pub peer: Option<Peer>,
}

impl Peer {
    /// Reads a certificate that the handshake has verified.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let Statement { node_id, role, cluster_id: _, not_before: _, not_after } =
            Statement::of(certificate).ok()?;
        Some(Self { node_id, role, not_after })
    }
}

/// Returns the node that sent a request, if it showed a certificate.
pub fn peer<T>(request: &Request<T>) -> Option<&Peer> {
    request.extensions().get::<Caller>()?.peer.as_ref()
}

/// Returns the caller if it is a node of this cluster.
pub fn require_node<T>(request: &Request<T>) -> Result<Peer, Status> {
    let remote = request.extensions().get::<Caller>().and_then(|caller| caller.remote);
    check(peer(request), "a node's", remote, SystemTime::now())
}

/// Returns the caller if it is a manager of this cluster.
pub fn require_manager<T>(request: &Request<T>) -> Result<Peer, Status> {
    let remote = request.extensions().get::<Caller>().and_then(|caller| caller.remote);
    let peer = check(peer(request), "a manager's", remote, SystemTime::now())?;
    match peer.role {
        Role::Manager => Ok(peer),
        Role::Worker => Err(Status::permission_denied(format!(
            "this call needs a manager's certificate, and node {} showed a worker's",
            peer.node_id
        ))),
    }
}

fn check(
    peer: Option<&Peer>,
    needed: &str,
    remote: Option<SocketAddr>,
    now: SystemTime,
) -> Result<Peer, Status> {
    let Some(peer) = peer else {
        let from = remote.map_or_else(|| "the caller".to_owned(), |remote| remote.to_string());
        return Err(Status::permission_denied(format!(
            "this call needs {needed} certificate, and {from} showed none"
        )));
    };
    if now > peer.not_after {
        return Err(Status::permission_denied(format!(
            "this call needs {needed} certificate, and that of node {} has expired",
            peer.node_id
        )));
    }
    Ok(peer.clone())
}
