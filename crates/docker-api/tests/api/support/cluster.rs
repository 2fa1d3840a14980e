//! A cluster of one manager, on a real log in a temporary folder; its stages do not run, so that
//! tests put what these would.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consensus::{ClusterState, Config, Proposer, Raft, Start};
use control::{Control, Founding};
use identity::{JoinToken, NodeIdentity, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};
use model::{
    Availability, ClusterId, ClusterSpec, ContainerStatus, Description, Engine, JoinTokens, Meta, NetworkId,
    NodeId, NodeState, Platform, Service, Subnet, Task, TaskId, TaskState, TaskStatus, Timestamp,
};
use store::{Change, View};
use tempfile::TempDir;

use super::PATIENCE;

/// A running manager.
pub struct Cluster {
    pub control: Control,
    pub node: NodeId,
    _dir: TempDir,
}

pub fn nanoseconds() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_nanos()).unwrap())
}

impl Cluster {
    /// Founds a cluster whose one node is called `m1`.
    pub async fn found() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = NodeId::from_bits(0x1234_5678_9abc);
        let root = RootCa::generate(SystemTime::now()).unwrap();
        let config = Config {
            dir: dir.path().join("raft"),
            raft_id: 1,
            node_id: node.to_string(),
            address: "10.1.1.1:2377".into(),
            tick: Duration::from_millis(10),
            ..Config::default()
        };
        let entry_bytes_max = config.entry_bytes_max;
        let tls = tls(&root, &node.to_string());
        let raft = Raft::start(config, ClusterState::default(), Start::Bootstrap, tls).await.unwrap();
        let mut status = raft.status();
        let led = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.is_leader())).await;
        drop(led.expect("one manager alone leads soon").unwrap());
        let control = Control::new(Proposer::new(raft, nanoseconds, entry_bytes_max), nanoseconds);
        let cluster = Self { control, node, _dir: dir };
        cluster.put(control::found(founding(&root, node))).await;
        cluster.describe_node().await;
        cluster
    }

    pub fn view(&self) -> View {
        self.control.view()
    }

    pub async fn put(&self, changes: Vec<Change>) {
        self.control.proposer().propose(changes).await.unwrap();
    }

    /// Puts what the node's agent would tell of it.
    async fn describe_node(&self) {
        let mut node = (**self.view().node(self.node).unwrap()).clone();
        node.status.state = NodeState::Ready;
        node.status.address = Some(Ipv4Addr::new(10, 1, 1, 1).into());
        node.description = Some(
            Description {
                hostname: "m1".into(),
                platform: Platform { architecture: "x86_64".into(), os: "linux".into() },
                nano_cpus: 2_000_000_000,
                memory_bytes: 4 << 30,
                generic: Vec::new(),
                engine: Engine { version: "0.1.0".into(), ..Engine::default() },
            }
            .into(),
        );
        self.put(vec![Change::Put(node.into())]).await;
    }

    /// Puts one more node, a worker of this name.
    pub async fn has_node(&self, hostname: &str) -> NodeId {
        let mut node = (**self.view().node(self.node).unwrap()).clone();
        node.id = NodeId::from_bits(self.node.bits() + 1);
        node.meta = Meta::default();
        let described = node.description.as_deref().unwrap().clone();
        node.description = Some(Description { hostname: hostname.into(), ..described }.into());
        let id = node.id;
        self.put(vec![Change::Put(node.into())]).await;
        id
    }

    pub fn service(&self, name: &str) -> Service {
        (**self.view().service_by_name(name).unwrap()).clone()
    }

    /// Puts a task as the orchestrator, the scheduler and an agent would.
    pub async fn put_task(&self, service: &str, slot: u32, desired: TaskState, state: TaskState) -> TaskId {
        let service = self.service(service);
        let id = TaskId::from_bits(u128::from(slot) << 32 | u128::from(service.spec_version.0));
        let container = ContainerStatus { container_id: "c0ffee".repeat(10) + "c0ff", pid: 42, exit_code: 0 };
        let task = Task {
            id,
            meta: Meta::default(),
            service: service.id,
            spec_version: service.spec_version,
            slot,
            desired,
            node: Some(self.node),
            addresses: Vec::new(),
            status: TaskStatus {
                state,
                at: nanoseconds(),
                message: "started".into(),
                err: String::new(),
                container: Some(Box::new(container)),
                ports: Vec::new(),
            },
        };
        self.put(vec![Change::Put(task.into())]).await;
        id
    }
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
