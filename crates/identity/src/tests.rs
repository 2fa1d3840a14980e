//! The whole crate over real TLS on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, async_trait};
use wire::pb;
use wire::pb::ca_client::CaClient;

use crate::root::Subject;
use crate::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A cluster's certificate state in memory.
#[derive(Clone)]
struct Cluster {
    root: RootCa,
    tokens: Arc<Mutex<Tokens>>,
    nodes: Arc<Mutex<BTreeMap<String, Role>>>,
    admitted: Arc<Mutex<Vec<NewNode>>>,
}

impl Cluster {
    fn generate() -> Self {
        let root = RootCa::generate(SystemTime::now()).unwrap();
        let tokens = Tokens { worker: JoinToken::generate(&root), manager: JoinToken::generate(&root) };
        Self { root, tokens: Arc::new(Mutex::new(tokens)), nodes: Arc::default(), admitted: Arc::default() }
    }

    fn token(&self, role: Role) -> JoinToken {
        let tokens = self.tokens.lock().unwrap();
        match role {
            Role::Worker => tokens.worker.clone(),
            Role::Manager => tokens.manager.clone(),
        }
    }

    fn identity(&self, node_id: &str, role: Role) -> NodeIdentity {
        self.identity_at(node_id, role, VALIDITY_DEFAULT, SystemTime::now())
    }

    fn identity_at(&self, node_id: &str, role: Role, validity: Duration, now: SystemTime) -> NodeIdentity {
        self.nodes.lock().unwrap().insert(node_id.to_owned(), role);
        let request = SigningRequest::generate().unwrap();
        let subject = Subject { node_id, role, cluster_id: "cluster" };
        let certificate = self.root.issue(&request.request_pem, subject, validity, now).unwrap();
        NodeIdentity::from_pem(&certificate, &request.key_pem, self.root.certificate_pem()).unwrap()
    }
}

#[async_trait]
impl CaSource for Cluster {
    async fn authority(&self) -> Result<Authority, Status> {
        Ok(Authority {
            root: self.root.clone(),
            cluster_id: "cluster".to_owned(),
            tokens: self.tokens.lock().unwrap().clone(),
            validity: VALIDITY_DEFAULT,
        })
    }

    async fn admit(&self, node: NewNode) -> Result<(), Status> {
        self.nodes.lock().unwrap().insert(node.node_id.clone(), node.role);
        self.admitted.lock().unwrap().push(node);
        Ok(())
    }

    async fn role(&self, node_id: &str) -> Result<Role, Status> {
        let role = self.nodes.lock().unwrap().get(node_id).copied();
        role.ok_or_else(|| Status::permission_denied(format!("node {node_id} was removed")))
    }
}

/// A manager's gRPC server on loopback.
struct Manager {
    address: String,
    tls: Tls,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Manager {
    async fn start(cluster: &Cluster) -> Self {
        Self::start_as(cluster, cluster.identity("manager-1", Role::Manager), |_| Ok(())).await
    }

    /// Starts a server whose every call needs a manager's certificate.
    async fn start_for_managers(cluster: &Cluster) -> Self {
        Self::start_as(cluster, cluster.identity("manager-1", Role::Manager), |request| {
            require_manager(request).map(drop)
        })
        .await
    }

    async fn start_as(
        cluster: &Cluster,
        identity: NodeIdentity,
        check: fn(&Request<()>) -> Result<(), Status>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tls = Tls::new(identity);
        let checked = InterceptedService::new(CaServer::service(cluster.clone()), move |request| {
            check(&request).map(|()| request)
        });
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let serving = tokio::spawn(serve(listener, tls.clone(), Routes::new(checked), shutdown));
        Self { address, tls, stop, serving }
    }

    fn client(&self, identity: NodeIdentity) -> CaClient<Channel> {
        CaClient::new(channel(&self.address, &Tls::new(identity)))
    }
}

async fn root_of(client: &mut CaClient<Channel>) -> Result<String, Status> {
    client.get_root(pb::GetRootRequest {}).await.map(|answer| answer.into_inner().root_pem)
}

/// Returns the server's own certificate as a client sees it on a fresh connection.
async fn shown_by(manager: &Manager, config: Arc<rustls::ClientConfig>) -> Vec<u8> {
    let stream = TcpStream::connect(&manager.address).await.unwrap();
    let name = "manager.drover".try_into().unwrap();
    let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn token_gets_a_certificate_bound_to_id_role_and_cluster() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;

    for role in [Role::Worker, Role::Manager] {
        let identity = join(&manager.address, &cluster.token(role), "drain").await.unwrap();

        let admitted = cluster.admitted.lock().unwrap().pop().unwrap();
        assert_eq!(admitted.node_id, identity.node_id());
        assert_eq!((admitted.role, admitted.availability.as_str()), (role, "drain"));
        assert_eq!((identity.role(), identity.cluster_id()), (role, "cluster"));
        assert_eq!(identity.root_pem(), cluster.root.certificate_pem());
    }
}

#[tokio::test]
async fn rotated_token_is_refused_with_dockers_words_and_leaves_no_node() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let old = cluster.token(Role::Worker);
    cluster.tokens.lock().unwrap().worker = JoinToken::generate(&cluster.root);

    let error = join(&manager.address, &old, "active").await.unwrap_err();

    assert_eq!(error.to_string(), "A valid join token is necessary to join this cluster");
    assert!(cluster.admitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn token_of_another_cluster_is_refused_before_it_is_shown() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let foreign = Cluster::generate();

    let error = join(&manager.address, &foreign.token(Role::Worker), "active").await.unwrap_err();

    assert!(matches!(error, JoinError::Fingerprint { .. }));
    assert!(error.to_string().starts_with("remote CA does not match fingerprint"), "{error}");
    assert!(error.to_string().contains(&manager.address), "{error}");
}

#[tokio::test]
async fn impostor_that_copies_the_root_certificate_never_sees_the_token() {
    let cluster = Cluster::generate();
    let mut impostor = Cluster::generate();
    let identity = impostor.identity("manager-1", Role::Manager);
    // It repeats the public root of the real cluster, but its own server certificate is from its own root.
    impostor.root = RootCa::from_pem(cluster.root.certificate_pem(), None).unwrap();
    let manager = Manager::start_as(&impostor, identity, |_| Ok(())).await;

    let error = join(&manager.address, &cluster.token(Role::Manager), "active").await.unwrap_err();

    assert!(matches!(error, JoinError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(impostor.admitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn malformed_requests_are_refused_by_the_server_too() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let mut client = manager.client(cluster.identity("worker-1", Role::Worker));
    let good = cluster.token(Role::Worker).to_string();
    let request = SigningRequest::generate().unwrap().request_pem;
    let cases = [
        ("", request.as_str(), "A valid join token is necessary"),
        ("SWMTKN-1-x-y", request.as_str(), "invalid join token"),
        (&good, "", "signing request"),
        (
            &good,
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "signing request",
        ),
        (&good, &"x".repeat(20_000), "larger than 16384 bytes"),
    ];

    for (token, csr_pem, expected) in cases {
        let request =
            pb::IssueRequest { token: token.into(), csr_pem: csr_pem.into(), availability: "active".into() };
        let status = client.issue(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(expected), "{status}");
    }
    assert!(cluster.admitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn names_in_a_signing_request_are_ignored() {
    let cluster = Cluster::generate();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["somebody".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "somebody");
    params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "swarm-manager");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = params.serialize_request(&key).unwrap().pem().unwrap();

    let subject = Subject { node_id: "node", role: Role::Worker, cluster_id: "cluster" };
    let certificate = cluster.root.issue(&request, subject, DAY, SystemTime::now()).unwrap();

    let identity =
        NodeIdentity::from_pem(&certificate, &key.serialize_pem(), cluster.root.certificate_pem()).unwrap();
    assert_eq!((identity.node_id(), identity.role()), ("node", Role::Worker));
    let (_, der) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).unwrap();
    let parsed = der.parse_x509().unwrap();
    assert!(!parsed.is_ca());
}

#[tokio::test]
async fn dead_address_is_named_within_seconds() {
    let cluster = Cluster::generate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);

    for address in [address.as_str(), "no-port", "256.0.0.1:2377"] {
        let began = Instant::now();
        let error = join(address, &cluster.token(Role::Worker), "active").await.unwrap_err();

        assert!(error.to_string().contains(address), "{error}");
        assert!(began.elapsed() < Duration::from_secs(6));
    }
}

#[tokio::test]
async fn silent_address_is_given_up() {
    let cluster = Cluster::generate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();

    let error = join(&address, &cluster.token(Role::Worker), "active").await.unwrap_err();

    assert!(error.to_string().contains("no answer within 2 s"), "{error}");
}

#[tokio::test]
async fn worker_is_refused_where_a_manager_is_needed() {
    let cluster = Cluster::generate();
    let manager = Manager::start_for_managers(&cluster).await;
    let mut worker = manager.client(cluster.identity("worker-1", Role::Worker));
    let mut other = manager.client(cluster.identity("manager-2", Role::Manager));

    let refused = root_of(&mut worker).await.unwrap_err();

    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.message(),
        "this call needs a manager's certificate, and node worker-1 showed a worker's"
    );
    root_of(&mut other).await.unwrap();
}

#[tokio::test]
async fn caller_without_certificate_is_refused_where_one_is_needed() {
    let cluster = Cluster::generate();
    let manager = Manager::start_for_managers(&cluster).await;
    let newcomer = crate::tls::newcomer_config(None);
    let mut client = CaClient::new(crate::channel::connect_with(&manager.address, newcomer));

    let refused = root_of(&mut client).await.unwrap_err();

    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("showed none"), "{refused}");
}

#[tokio::test]
async fn renewal_needs_a_certificate() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let newcomer = crate::tls::newcomer_config(None);
    let mut client = CaClient::new(crate::channel::connect_with(&manager.address, newcomer));
    let csr_pem = SigningRequest::generate().unwrap().request_pem;

    let refused = client.renew(pb::RenewRequest { csr_pem }).await.unwrap_err();

    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn certificate_of_another_cluster_is_refused() {
    let cluster = Cluster::generate();
    let foreign = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    // It trusts the right root, so that only the server has a reason to refuse.
    let trusting = foreign.identity("manager-2", Role::Manager);
    let root_pem = format!("{}{}", trusting.root_pem(), cluster.root.certificate_pem());
    let mut client = manager.client(trusting.with_roots(&root_pem).unwrap());

    assert!(root_of(&mut client).await.is_err());
}

#[tokio::test]
async fn expired_certificate_is_refused_in_both_directions() {
    let cluster = Cluster::generate();
    let long_ago = SystemTime::now() - 100 * DAY;
    let expired = cluster.identity_at("manager-2", Role::Manager, 90 * DAY, long_ago);
    let manager = Manager::start(&cluster).await;
    let stale = Manager::start_as(&cluster, expired.clone(), |_| Ok(())).await;

    let refused = root_of(&mut manager.client(expired)).await;
    let unanswered = root_of(&mut stale.client(cluster.identity("worker-1", Role::Worker))).await;

    assert!(refused.is_err());
    assert!(unanswered.unwrap_err().message().contains("expired"));
}

#[tokio::test]
async fn certificate_that_expires_on_an_open_connection_is_refused() {
    let cluster = Cluster::generate();
    let manager = Manager::start_for_managers(&cluster).await;
    let brief = cluster.identity_at("manager-2", Role::Manager, Duration::from_secs(2), SystemTime::now());
    let mut client = manager.client(brief);
    root_of(&mut client).await.unwrap();

    let refused = eventually(|| {
        let mut client = client.clone();
        async move { root_of(&mut client).await.err() }
    })
    .await;

    assert!(refused.message().contains("manager-2 has expired"), "{refused}");
}

#[tokio::test]
async fn worker_posing_as_a_manager_is_not_talked_to() {
    let cluster = Cluster::generate();
    let posing = Manager::start_as(&cluster, cluster.identity("worker-1", Role::Worker), |_| Ok(())).await;

    let error = root_of(&mut posing.client(cluster.identity("worker-2", Role::Worker))).await.unwrap_err();

    assert!(error.message().contains("worker-1 with a worker's certificate"), "{error}");
    assert!(error.message().contains(&posing.address), "{error}");
}

#[tokio::test]
async fn banned_node_is_refused_although_its_certificate_is_valid() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    manager.tls.ban(BTreeSet::from(["worker-1".to_owned()]));

    assert!(root_of(&mut manager.client(cluster.identity("worker-1", Role::Worker))).await.is_err());
    root_of(&mut manager.client(cluster.identity("worker-2", Role::Worker))).await.unwrap();
}

#[tokio::test]
async fn renewed_certificate_is_used_by_new_connections_of_both_sides() {
    let cluster = Cluster::generate();
    let manager = Manager::start_for_managers(&cluster).await;
    let tls = Tls::new(cluster.identity("node-2", Role::Worker));
    let before = shown_by(&manager, tls.client_config()).await;

    // The node is promoted: its renewed certificate is a manager's.
    tls.replace(cluster.identity("node-2", Role::Manager));
    manager.tls.replace(cluster.identity("manager-1", Role::Manager));

    let after = shown_by(&manager, tls.client_config()).await;
    assert_ne!(before, after);
    root_of(&mut CaClient::new(channel(&manager.address, &tls))).await.unwrap();
}

#[tokio::test]
async fn renewal_keeps_the_id_and_takes_the_role_from_the_cluster() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let identity = join(&manager.address, &cluster.token(Role::Worker), "active").await.unwrap();
    let tls = Tls::new(identity.clone());
    cluster.nodes.lock().unwrap().insert(identity.node_id().to_owned(), Role::Manager);

    let renewed = renew(channel(&manager.address, &tls), &identity).await.unwrap();

    assert_eq!((renewed.node_id(), renewed.role()), (identity.node_id(), Role::Manager));
    assert_ne!(renewed.certificate_pem(), identity.certificate_pem());
}

#[tokio::test]
async fn removed_node_is_not_renewed() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let identity = cluster.identity("worker-1", Role::Worker);
    cluster.nodes.lock().unwrap().clear();

    let tls = Tls::new(identity.clone());
    let error = renew(channel(&manager.address, &tls), &identity).await.unwrap_err();

    assert!(error.to_string().ends_with("node worker-1 was removed"), "{error}");
}

#[tokio::test]
async fn root_change_is_followed_without_restart() {
    let old = Cluster::generate();
    let new = Cluster::generate();
    let manager = Manager::start(&new).await;
    manager.tls.replace(new.identity("manager-1", Role::Manager));
    let tls = Tls::new(old.identity("worker-1", Role::Worker));
    let mut client = CaClient::new(channel(&manager.address, &tls));
    assert!(root_of(&mut client).await.is_err());

    tls.replace(new.identity("worker-1", Role::Worker));

    root_of(&mut client).await.unwrap();
}

#[tokio::test]
async fn silent_clients_do_not_block_others() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(&manager.address).await.unwrap());
    }

    let began = Instant::now();
    root_of(&mut manager.client(cluster.identity("worker-1", Role::Worker))).await.unwrap();

    assert!(began.elapsed() < Duration::from_secs(2));
    let mut byte = [0];
    let ended = tokio::time::timeout(Duration::from_secs(10), silent[0].read(&mut byte)).await;
    assert_eq!(ended.expect("the silent client is dropped").unwrap_or(0), 0);
}

#[tokio::test]
async fn plaintext_client_is_refused() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let plain = tonic::transport::Endpoint::from_shared(format!("http://{}", manager.address)).unwrap();

    let refused = match plain.connect().await {
        Ok(channel) => root_of(&mut CaClient::new(channel)).await.map(drop).is_err(),
        Err(_) => true,
    };

    assert!(refused);
}

#[tokio::test]
async fn client_without_tls_1_3_is_refused() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(
            rustls_pki_types::pem::PemObject::from_pem_slice(cluster.root.certificate_pem().as_bytes())
                .unwrap(),
        )
        .unwrap();
    let config = rustls::ClientConfig::builder_with_provider(crate::verify::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let stream = TcpStream::connect(&manager.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let error = connector.connect("swarm-manager".try_into().unwrap(), stream).await.unwrap_err();

    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
}

#[tokio::test]
async fn garbage_does_not_disturb_the_server() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&manager.address).await.unwrap();
        stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 0, 1, 2, 3]).await.unwrap();
    }

    root_of(&mut manager.client(cluster.identity("worker-1", Role::Worker))).await.unwrap();
}

#[tokio::test]
async fn shutdown_cuts_connections_that_stay_open() {
    let cluster = Cluster::generate();
    let manager = Manager::start(&cluster).await;
    let tls = Tls::new(cluster.identity("worker-1", Role::Worker));
    let stream = TcpStream::connect(&manager.address).await.unwrap();
    let connector = TlsConnector::from(tls.client_config());
    // Never speaks HTTP/2, so that the server's farewell goes unanswered.
    let _idle = connector.connect("manager.drover".try_into().unwrap(), stream).await.unwrap();

    manager.stop.send(()).unwrap();

    let ended = tokio::time::timeout(Duration::from_secs(8), manager.serving).await;
    ended.expect("serving ends soon after shutdown").unwrap().unwrap();
    assert!(TcpStream::connect(&manager.address).await.is_err());
}

#[tokio::test]
async fn channel_connects_again_after_the_server_restarted() {
    let cluster = Cluster::generate();
    let first = Manager::start(&cluster).await;
    let tls = Tls::new(cluster.identity("worker-1", Role::Worker));
    let mut client = CaClient::new(channel(&first.address, &tls));
    root_of(&mut client).await.unwrap();
    first.stop.send(()).unwrap();
    first.serving.await.unwrap().unwrap();
    assert!(root_of(&mut client).await.is_err());

    let listener = TcpListener::bind(&first.address).await.unwrap();
    let routes = Routes::new(CaServer::service(cluster.clone()));
    tokio::spawn(serve(listener, first.tls, routes, std::future::pending()));

    eventually(|| {
        let mut client = client.clone();
        async move { root_of(&mut client).await.ok() }
    })
    .await;
}

#[test]
fn identity_is_kept_in_one_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("certificates");
    let cluster = Cluster::generate();
    let identity = cluster.identity("node-1", Role::Worker);

    identity.save(&folder).unwrap();
    cluster.identity("node-1", Role::Manager).save(&folder).unwrap();

    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let loaded = NodeIdentity::load(&folder).unwrap();
    assert_eq!((loaded.node_id(), loaded.role()), ("node-1", Role::Manager));
    NodeIdentity::remove(&folder).unwrap();
    NodeIdentity::remove(&folder).unwrap();
    assert!(matches!(NodeIdentity::load(&folder), Err(NodeError::Absent(_))));
}

#[test]
fn damaged_identity_is_refused_with_its_path_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::generate();
    cluster.identity("node-1", Role::Worker).save(folder.path()).unwrap();
    let path = folder.path().join("identity.pem");
    let good = std::fs::read_to_string(&path).unwrap();
    let other = Cluster::generate().identity("node-1", Role::Worker);

    for damaged in [
        String::new(),
        good[..good.len() / 2].to_owned(),
        good.replace("BEGIN", "BEGUN"),
        good.replace(cluster.root.certificate_pem(), other.root_pem()),
        good.replace("PRIVATE KEY", "PUBLIC KEY"),
    ] {
        std::fs::write(&path, damaged).unwrap();

        let error = NodeIdentity::load(folder.path()).unwrap_err().to_string();

        assert!(error.contains("identity.pem") && error.contains("join the cluster again"), "{error}");
    }
}

#[test]
fn key_of_another_certificate_is_refused() {
    let cluster = Cluster::generate();
    let identity = cluster.identity("node-1", Role::Worker);
    let key = SigningRequest::generate().unwrap().key_pem;

    let result = NodeIdentity::from_pem(identity.certificate_pem(), &key, identity.root_pem());

    assert!(matches!(result, Err(NodeError::Mismatch(_))));
}

#[test]
fn root_is_read_back_and_checked_against_its_key() {
    let root = RootCa::generate(SystemTime::now()).unwrap();
    let other = RootCa::generate(SystemTime::now()).unwrap();

    let read = RootCa::from_pem(root.certificate_pem(), root.key_pem()).unwrap();

    assert_eq!(read.digest(), root.digest());
    assert!(matches!(RootCa::from_pem(root.certificate_pem(), other.key_pem()), Err(RootError::Mismatch)));
    assert!(RootCa::from_pem("", None).is_err());
    let public = RootCa::from_pem(root.certificate_pem(), None).unwrap();
    let subject = Subject { node_id: "n", role: Role::Worker, cluster_id: "c" };
    let request = SigningRequest::generate().unwrap().request_pem;
    assert!(matches!(public.issue(&request, subject, DAY, SystemTime::now()), Err(RootError::NoKey)));
}

#[test]
fn certificates_are_backdated_by_an_hour_and_renewed_in_the_later_half() {
    let cluster = Cluster::generate();
    let now = SystemTime::now();
    let identity = cluster.identity_at("n", Role::Worker, 90 * DAY, now);
    let life = 90 * DAY + Duration::from_secs(3600);

    let start = now.duration_since(identity.not_before()).unwrap();
    assert!((3600..=3601).contains(&start.as_secs()));
    let begin = identity.not_before();
    assert_eq!(identity.renew_after(begin, 0.0).as_secs(), life.mul_f64(0.5).as_secs());
    assert!(identity.renew_after(begin, 0.999) < life.mul_f64(0.8));
    assert_eq!(identity.renew_after(begin + 85 * DAY, 0.5), Duration::ZERO);
}

#[test]
fn secrets_do_not_reach_the_debug_output() {
    let cluster = Cluster::generate();
    let identity = cluster.identity("node-1", Role::Worker);

    let text = format!("{identity:?} {:?} {:?}", cluster.root, Tls::new(identity.clone()));

    assert!(!text.contains("PRIVATE"), "{text}");
}

/// Tries until there is a result; a test fails after ten seconds without one.
async fn eventually<T, F: Future<Output = Option<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(result) = attempt().await {
            return result;
        }
        assert!(Instant::now() < deadline, "nothing within ten seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
