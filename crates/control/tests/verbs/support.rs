//! A cluster of one manager on a real log; its stages do not run, so that tests put what these would.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use consensus::{ClusterState, Config, Proposer, Raft, Start};
use control::{Control, Founding};
use identity::{JoinToken, NodeIdentity, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};
use model::{
    Availability, ClusterId, ClusterSpec, JoinTokens, Meta, NetworkId, NodeId, Service, ServiceSpec, Subnet,
    Timestamp,
};
use store::{Change, Object, View};
use tempfile::TempDir;
use testkit::notation;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running manager.
pub struct Cluster {
    pub control: Control,
    pub manager: NodeId,
    _dir: TempDir,
}

impl Cluster {
    /// Founds a cluster of one manager.
    pub async fn found() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let manager = NodeId::from_bits(7 << 100);
        let root = RootCa::generate(SystemTime::now()).unwrap();
        let config = Config {
            dir: dir.path().join("raft"),
            raft_id: 1,
            node_id: manager.to_string(),
            address: "127.0.0.1:1".into(),
            tick: Duration::from_millis(10),
            ..Config::default()
        };
        let entry_bytes_max = config.entry_bytes_max;
        let tls = tls(&root, &manager.to_string());
        let raft = Raft::start(config, ClusterState::default(), Start::Bootstrap, tls).await.unwrap();
        let mut status = raft.status();
        let led = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.is_leader())).await;
        drop(led.expect("a manager alone leads soon").unwrap());
        let clock = || Timestamp(1_000);
        let control = Control::new(Proposer::new(raft, clock, entry_bytes_max), clock);
        let cluster = Self { control, manager, _dir: dir };
        cluster.put(control::found(founding(&root, manager))).await;
        cluster
    }

    pub fn view(&self) -> View {
        self.control.view()
    }

    pub async fn put(&self, changes: Vec<Change>) {
        self.control.proposer().propose(changes).await.unwrap();
    }

    /// Puts what the words of the notation say, as if it were made at this moment.
    pub async fn put_words(&self, words: &str) {
        let view = notation::parse(words);
        let objects = view.objects().filter(|object| !matches!(object, Object::Cluster(_)));
        let fresh = objects.map(|object| Change::Put(object.with_meta(Meta::default())));
        self.put(fresh.collect()).await;
    }

    pub fn service(&self, name: &str) -> Service {
        (**self.view().service_by_name(name).expect(name)).clone()
    }
}

/// Returns a spec in the notation's words, such as `web x3 publish=80:8080`.
pub fn spec(words: &str) -> ServiceSpec {
    notation::service(words).spec
}

fn founding(root: &RootCa, node: NodeId) -> Founding {
    let (certificate_pem, key_pem) = (root.certificate_pem().to_owned(), root.key_pem().unwrap().to_owned());
    let token = || JoinToken::generate(root).to_string();
    Founding {
        id: ClusterId::from_bits(7),
        spec: ClusterSpec::default(),
        root_ca: model::RootCa { certificate_pem, key_pem },
        join_tokens: JoinTokens { worker: token(), manager: token() },
        address_pools: vec![Subnet { base: Ipv4Addr::new(10, 0, 0, 0), prefix: 8 }],
        subnet_prefix: 24,
        data_path_port: 4789,
        node,
        availability: Availability::Active,
        ingress: NetworkId::from_bits(9),
    }
}

fn tls(root: &RootCa, node_id: &str) -> Tls {
    let request = SigningRequest::generate().unwrap();
    let subject = Subject { node_id, role: identity::Role::Manager, cluster_id: "cluster" };
    let certificate = root.issue(&request.request_pem, subject, VALIDITY_DEFAULT, SystemTime::now()).unwrap();
    Tls::new(NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem()).unwrap())
}
