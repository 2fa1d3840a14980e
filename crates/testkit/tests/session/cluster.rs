//! One manager, served at as many addresses as a test likes; its stages do not run.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent::{Agent, Connection};
use consensus::{ClusterState, Config, Proposer, Raft, Start};
use control::{Control, Founding};
use dispatcher::{Dispatcher, Managers};
use identity::{JoinToken, NodeIdentity, Role, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};
use model::{
    Availability, ClusterId, ClusterSpec, JoinTokens, Meta, NetworkId, Node, NodeId, NodeState, Subnet, Task,
    TaskId, TaskState, Timestamp,
};
use store::{Change, Object, View};
use tempfile::TempDir;
use testkit::notation;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tonic::service::Routes;

use crate::host::Host;

pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_nanos()).unwrap())
}

/// Waits until the claim holds.
pub async fn until(what: &str, claim: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !claim() {
        assert!(Instant::now() < deadline, "{what} in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn node_id(name: &str) -> NodeId {
    NodeId::from_bits(notation::bits_of(name))
}

pub struct Cluster {
    pub control: Control,
    pub dispatcher: Dispatcher,
    pub managers: watch::Sender<Managers>,
    root: RootCa,
    tls: Tls,
    _loops: JoinSet<()>,
    _dir: TempDir,
}

/// An address at which the manager answers.
pub struct Server {
    pub address: String,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// A running agent.
pub struct Worker {
    pub host: Arc<Host>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
    pub dir: TempDir,
}

impl Cluster {
    pub async fn found() -> Self {
        Self::found_with(now).await
    }

    /// Founds a cluster whose manager goes by this clock.
    pub async fn found_with(clock: fn() -> Timestamp) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = RootCa::generate(SystemTime::now()).unwrap();
        let manager = node_id("m1");
        let config = Config {
            dir: dir.path().join("raft"),
            raft_id: 1,
            node_id: manager.to_string(),
            address: "127.0.0.1:1".into(),
            tick: Duration::from_millis(10),
            ..Config::default()
        };
        let entry_bytes_max = config.entry_bytes_max;
        let tls = tls(&root, manager, Role::Manager);
        let raft = Raft::start(config, ClusterState::default(), Start::Bootstrap, tls.clone()).await.unwrap();
        let mut status = raft.status();
        let led = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.is_leader())).await;
        drop(led.expect("a manager alone leads soon").unwrap());
        let proposer = Proposer::new(raft, clock, entry_bytes_max);
        let managers = watch::channel(Managers::new()).0;
        let (dispatcher, dispatching) =
            Dispatcher::new(clock, proposer.clone(), tls.clone(), managers.subscribe());
        let mut loops = JoinSet::new();
        loops.spawn(dispatching);
        let control = Control::new(proposer, clock);
        let cluster = Self { control, dispatcher, managers, root, tls, _loops: loops, _dir: dir };
        cluster.put(control::found(founding(&cluster.root, manager))).await;
        cluster
    }

    /// Answers at a further address.
    pub async fn serve(&self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut routes = Routes::builder();
        routes.add_service(self.dispatcher.service());
        let (stop, mut stopped) = watch::channel(false);
        let serving = identity::serve(listener, self.tls.clone(), routes.routes(), async move {
            let _gone = stopped.wait_for(|stop| *stop).await;
        });
        let running = tokio::spawn(async move { serving.await.unwrap() });
        Server { address, stop, running }
    }

    /// Lets a node in and returns its identity.
    pub async fn admit(&self, name: &str) -> Tls {
        let mut node = notation::node(&format!("{name} unknown blank"));
        node.meta = Meta::default();
        self.put(vec![Change::Put(node.into())]).await;
        self.identity(name)
    }

    /// Returns an identity of a node that was let in.
    pub fn identity(&self, name: &str) -> Tls {
        tls(&self.root, node_id(name), Role::Worker)
    }

    /// Lets a node in and starts its agent.
    pub async fn worker(&self, name: &str, servers: &[&Server]) -> Worker {
        let tls = self.admit(name).await;
        let managers = servers.iter().map(|server| server.address.clone()).collect();
        start(node_id(name), tls, managers, Arc::default(), tempfile::tempdir().unwrap()).await
    }

    pub fn view(&self) -> View {
        self.control.view()
    }

    pub async fn put(&self, changes: Vec<Change>) {
        self.control.proposer().propose_in_parts(changes).await.unwrap();
    }

    /// Puts the services, specs and tasks of the words, as if they were made at this moment.
    pub async fn put_words(&self, words: &str) {
        let view = notation::parse(words);
        let objects = view.objects().filter(|object| !matches!(object, Object::Cluster(_)));
        let fresh = objects.map(|object| Change::Put(object.with_meta(Meta::default())));
        self.put(fresh.collect()).await;
    }

    /// Changes what a task is desired to become.
    pub async fn wish(&self, task: TaskId, desired: TaskState) {
        let changed = self.control.proposer().update(|view| {
            let mut task = (**view.task(task).unwrap()).clone();
            task.desired = desired;
            Ok::<_, control::Error>(vec![Change::Put(task.into())])
        });
        changed.await.unwrap();
    }

    pub async fn forget(&self, task: TaskId) {
        let gone = self.control.proposer().update(|view| {
            let version = view.task(task).unwrap().meta.version;
            Ok::<_, control::Error>(vec![Change::Delete(store::Key::Task(task), version)])
        });
        gone.await.unwrap();
    }

    /// Returns the tasks by slot.
    pub fn tasks(&self) -> Vec<Arc<Task>> {
        let mut tasks: Vec<_> = self.view().tasks().cloned().collect();
        tasks.sort_by_key(|task| task.slot);
        tasks
    }

    pub fn node(&self, name: &str) -> Node {
        (**self.view().node(node_id(name)).expect(name)).clone()
    }

    pub async fn until_node(&self, name: &str, state: NodeState) {
        until(&format!("{name} is {state:?}"), || self.node(name).status.state == state).await;
    }

    pub async fn until_state(&self, slot: usize, state: TaskState) {
        let reached = || self.tasks().get(slot - 1).is_some_and(|task| task.status.state == state);
        until(&format!("task {slot} is {state:?}"), reached).await;
    }
}

impl Server {
    pub async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.running).await.expect("the server ends").unwrap();
    }
}

impl Worker {
    /// Ends the agent; its containers go on. Returns what the next one needs.
    pub async fn stop(self) -> (Arc<Host>, TempDir) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.running).await.expect("the agent ends").unwrap();
        (self.host, self.dir)
    }
}

/// Starts an agent over a host and a journal.
pub async fn start(node: NodeId, tls: Tls, managers: Vec<String>, host: Arc<Host>, dir: TempDir) -> Worker {
    let config = agent::Config { node, dir: dir.path().to_owned(), concurrency: 8, clock: now };
    let agent = Agent::open(config, host.clone()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(agent.run(Connection { tls, address: "127.0.0.9".into(), managers }, stopped));
    Worker { host, stop, running, dir }
}

pub fn tls(root: &RootCa, node: NodeId, role: Role) -> Tls {
    let request = SigningRequest::generate().unwrap();
    let subject = Subject { node_id: &node.to_string(), role, cluster_id: "cluster" };
    let certificate = root.issue(&request.request_pem, subject, VALIDITY_DEFAULT, SystemTime::now()).unwrap();
    Tls::new(NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem()).unwrap())
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
