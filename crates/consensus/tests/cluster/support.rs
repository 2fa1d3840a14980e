//! Managers in one process over loopback and real TLS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use consensus::{Config, Raft, StartError, StateMachine, Status};
pub use consensus::{Role, Start};
use identity::{NodeIdentity, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::service::Routes;

/// How long any condition may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps every entry by its index.
#[derive(Default)]
pub struct Journal(pub BTreeMap<u64, Vec<u8>>);

impl StateMachine for Journal {
    type View = BTreeMap<u64, Vec<u8>>;

    fn apply(&mut self, index: u64, entry: &[u8]) -> Vec<u8> {
        self.0.insert(index, entry.to_vec());
        entry.iter().rev().copied().collect()
    }

    fn view(&self) -> Self::View {
        self.0.clone()
    }

    fn snapshot(&self) -> Box<dyn FnOnce() -> Vec<u8> + Send> {
        let entries = self.0.clone();
        Box::new(move || {
            let mut out = Vec::new();
            for (index, entry) in entries {
                out.extend_from_slice(&index.to_le_bytes());
                out.extend_from_slice(&(entry.len() as u64).to_le_bytes());
                out.extend_from_slice(&entry);
            }
            out
        })
    }

    fn restore(&mut self, mut data: &[u8]) -> Result<(), String> {
        self.0.clear();
        while !data.is_empty() {
            let (index, rest) = data.split_first_chunk::<8>().ok_or("short")?;
            let (length, rest) = rest.split_first_chunk::<8>().ok_or("short")?;
            let (entry, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
            self.0.insert(u64::from_le_bytes(*index), entry.to_vec());
            data = rest;
        }
        Ok(())
    }
}

/// The hosts of one cluster: their folders, ports and certificates.
pub struct Hosts {
    root: RootCa,
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    addresses: BTreeMap<u64, String>,
    pub tune: fn(&mut Config),
}

/// A manager that is up.
pub struct Manager {
    pub raft: Raft<BTreeMap<u64, Vec<u8>>>,
    serving: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Hosts {
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_path_buf();
        Self { _temporary: Some(temporary), ..Self::at(folder.to_str().unwrap()) }
    }

    /// Uses a folder that outlives this process.
    pub fn at(folder: &str) -> Self {
        Self {
            root: RootCa::generate(SystemTime::now()).unwrap(),
            folder: folder.into(),
            _temporary: None,
            addresses: BTreeMap::new(),
            tune: |_| (),
        }
    }

    pub fn dir(&self, raft_id: u64) -> PathBuf {
        self.folder.join(raft_id.to_string())
    }

    pub fn forget_address(&mut self, raft_id: u64) -> String {
        self.addresses.remove(&raft_id).unwrap()
    }

    pub fn address(&self, raft_id: u64) -> String {
        self.addresses[&raft_id].clone()
    }

    pub fn tls(&self, node_id: &str, role: identity::Role) -> Tls {
        let request = SigningRequest::generate().unwrap();
        let subject = Subject { node_id, role, cluster_id: "cluster" };
        let now = SystemTime::now();
        let certificate = self.root.issue(&request.request_pem, subject, VALIDITY_DEFAULT, now).unwrap();
        let root = self.root.certificate_pem();
        Tls::new(NodeIdentity::from_pem(&certificate, &request.key_pem, root).unwrap())
    }

    pub async fn start(&mut self, raft_id: u64, start: Start) -> Result<Manager, StartError> {
        let node_id = format!("node-{raft_id}");
        let wanted = self.addresses.get(&raft_id).map_or("127.0.0.1:0", |address| address.as_str());
        let listener = TcpListener::bind(wanted).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        self.addresses.insert(raft_id, address.clone());
        let tls = self.tls(&node_id, identity::Role::Manager);
        let mut config = Config { dir: self.dir(raft_id), raft_id, node_id, address, ..Config::default() };
        (self.tune)(&mut config);
        let raft = Raft::start(config, Journal::default(), start, tls.clone()).await?;
        let (stop, stopped) = oneshot::channel();
        let routes = Routes::new(raft.service());
        let serving = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            identity::serve(listener, tls, routes, stopped).await.unwrap();
        });
        Ok(Manager { raft, serving, stop: Some(stop) })
    }

    /// Tries to start a second process's worth of a manager that is up.
    pub async fn start_elsewhere(&mut self, raft_id: u64, start: Start) -> Result<Manager, StartError> {
        let address = self.forget_address(raft_id);
        let started = self.start(raft_id, start).await;
        self.addresses.insert(raft_id, address);
        started
    }

    pub async fn join(&mut self, raft_id: u64, via: u64) -> Manager {
        let via = vec![self.address(via)];
        self.start(raft_id, Start::Join { via }).await.unwrap()
    }

    pub async fn three(&mut self) -> BTreeMap<u64, Manager> {
        let mut managers = BTreeMap::new();
        managers.insert(1, self.start(1, Start::Bootstrap).await.unwrap());
        managers[&1].until(|status| status.is_leader()).await;
        managers.insert(2, self.join(2, 1).await);
        managers.insert(3, self.join(3, 1).await);
        for manager in managers.values() {
            manager.until(|status| voters(status) == 3 && status.leader.is_some()).await;
        }
        managers
    }
}

pub fn voters(status: &Status) -> usize {
    status.members.iter().filter(|member| member.standing == consensus::Standing::Voter).count()
}

impl Manager {
    pub async fn until(&self, condition: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.raft.status();
        let met = tokio::time::timeout(PATIENCE, status.wait_for(condition)).await;
        match met {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("still {:?}", self.raft.status().borrow()),
        }
    }

    pub async fn write(&self, entry: &str) -> u64 {
        self.raft.propose(entry.as_bytes().to_vec()).await.unwrap().index
    }

    pub fn holds(&self, entry: &str) -> bool {
        self.raft.views().borrow().values().any(|held| held == entry.as_bytes())
    }

    pub async fn until_holds(&self, entry: &str) {
        let mut views = self.raft.views();
        let met = views.wait_for(|view| view.values().any(|held| held == entry.as_bytes()));
        tokio::time::timeout(PATIENCE, met).await.expect("the entry arrives").unwrap();
    }

    /// Ends it without a word to the others, as a crash would.
    pub async fn crash(mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
        // Not `shutdown`, which hands leadership over.
        let status = self.raft.status();
        drop(self.raft);
        let mut status = status;
        let gone = status.wait_for(|status| status.stopped.is_some());
        tokio::time::timeout(PATIENCE, gone).await.expect("the thread ends").unwrap();
    }

    pub async fn stop(mut self) {
        self.raft.shutdown().await;
        drop(self.stop.take());
        self.serving.await.unwrap();
    }
}

pub fn leader_of(managers: &BTreeMap<u64, Manager>) -> u64 {
    let leads = |manager: &&Manager| manager.raft.status().borrow().is_leader();
    let leader = managers.values().find(leads).expect("one leads");
    leader.raft.status().borrow().raft_id
}
