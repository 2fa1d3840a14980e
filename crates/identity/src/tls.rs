//! The TLS configuration of a node, following its identity as it is renewed.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use tokio::sync::watch;

use crate::node::NodeIdentity;
use crate::verify::{Clients, Trust, provider};

const ALPN: &[u8] = b"h2";

/// A node's live TLS: every new handshake uses the identity that is current by then.
#[derive(Debug, Clone)]
pub struct Tls {
    live: Arc<Live>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// What handshakes look at.
#[derive(Debug)]
pub(crate) struct Live {
    identity: watch::Sender<Arc<NodeIdentity>>,
    banned: RwLock<BTreeSet<String>>,
}

impl Tls {
    /// Begins with an identity.
    pub fn new(identity: NodeIdentity) -> Self {
        let live =
            Arc::new(Live { identity: watch::Sender::new(Arc::new(identity)), banned: RwLock::default() });
        Self {
            server: Arc::new(server_config(&live)),
            client: Arc::new(client_config(Trust::Live(live.clone()), Some(live.clone()))),
            live,
        }
    }

    /// Makes new connections use another identity, without disturbing the open ones.
    pub fn replace(&self, identity: NodeIdentity) {
        self.live.identity.send_replace(Arc::new(identity));
    }

    /// Returns the identity in use.
    pub fn identity(&self) -> Arc<NodeIdentity> {
        self.live.identity()
    }

    /// Returns a receiver that is told of every replaced identity.
    pub fn watch(&self) -> watch::Receiver<Arc<NodeIdentity>> {
        self.live.identity.subscribe()
    }

    /// Sets the nodes whose certificates are refused although they are still valid.
    ///
    /// A removed node keeps its certificate until that expires.
    pub fn ban(&self, node_ids: BTreeSet<String>) {
        *self.live.banned.write().unwrap_or_else(PoisonError::into_inner) = node_ids;
    }

    /// Returns the accepting side: TLS 1.3, HTTP/2, a client certificate checked if one is shown.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// Returns the connecting side: shows the node's certificate and accepts only managers.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }
}

impl Live {
    pub(crate) fn identity(&self) -> Arc<NodeIdentity> {
        self.identity.borrow().clone()
    }

    pub(crate) fn is_banned(&self, node_id: &str) -> bool {
        self.banned.read().unwrap_or_else(PoisonError::into_inner).contains(node_id)
    }
}

/// Returns a connecting side without a certificate, for a node that is about to join.
pub(crate) fn newcomer_config(roots: Option<RootCertStore>) -> Arc<ClientConfig> {
    let trust = roots.map_or(Trust::Anyone, Trust::Pinned);
    Arc::new(client_config(trust, None))
}

/// Sessions are never resumed, on either side: a ticket would outlive the certificate it was got with.
fn server_config(live: &Arc<Live>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has TLS 1.3 suites")
        .with_client_cert_verifier(Arc::new(Clients(live.clone())))
        .with_cert_resolver(live.clone());
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn client_config(trust: Trust, identity: Option<Arc<Live>>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let mut config = match identity {
        Some(live) => builder.with_client_cert_resolver(live),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

impl ResolvesServerCert for Live {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.identity().pair().clone())
    }
}

impl ResolvesClientCert for Live {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.identity().pair().clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
