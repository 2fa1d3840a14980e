//! All containers that are answered, and the zones out of which they are.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::forward::{self, Patience};
use crate::message::Question;
use crate::serve::{serve_tcp, serve_udp};
use crate::upstream::HostServers;
use crate::{Upstream, Zone, look_up};

/// How many questions of one container other servers may be busy with. The resolvers of C libraries ask two at a time
/// for each thread that waits.
const OPEN_PER_CONTAINER_MAX: usize = 128;

/// Says how other servers are asked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that names the servers the host asks.
    pub host_servers: PathBuf,
    /// How long to wait for one answer of one server, before it or the next is asked.
    pub patience: Duration,
    /// How long to wait for all of them; clients give up after five seconds.
    pub patience_whole: Duration,
    /// How many questions other servers may be busy with.
    pub open_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_servers: PathBuf::from("/etc/resolv.conf"),
            patience: Duration::from_millis(1500),
            patience_whole: Duration::from_millis(4500),
            open_max: 1024,
        }
    }
}

/// Whom a container's sockets serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The networks it is on, by id, those first whose names it finds first.
    pub networks: Vec<String>,
    /// Who is asked for foreign names.
    pub upstream: Upstream,
}

/// Why a container cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("answer names at the sockets of container {container}")]
pub struct Error {
    /// The container.
    pub container: String,
    /// The kernel's answer.
    pub source: io::Error,
}

/// Answers containers; clones share everything. What it serves ends with the last of them.
#[derive(Debug, Clone)]
pub struct Server {
    clients: Arc<Clients>,
    serving: Arc<Mutex<BTreeMap<String, Serving>>>,
}

/// What is at work for one container; ends when it is dropped.
#[derive(Debug)]
struct Serving {
    served: Arc<Served>,
    _work: JoinSet<()>,
}

/// What all containers share.
#[derive(Debug)]
pub(crate) struct Clients {
    zones: RwLock<BTreeMap<String, Arc<Zone>>>,
    host_servers: HostServers,
    patience: Patience,
    open: Semaphore,
    seed: AtomicU64,
}

/// One container.
#[derive(Debug)]
pub(crate) struct Served {
    client: RwLock<Arc<Client>>,
    open: Semaphore,
}

impl Server {
    /// Makes a server that serves nobody yet.
    pub fn new(config: Config) -> Self {
        let Config { host_servers, patience, patience_whole, open_max } = config;
        let clients = Clients {
            zones: RwLock::default(),
            host_servers: HostServers::new(host_servers),
            patience: Patience { once: patience, whole: patience_whole },
            open: Semaphore::new(open_max),
            seed: AtomicU64::new(rand::random()),
        };
        Self { clients: Arc::new(clients), serving: Arc::default() }
    }

    /// Answers a container at sockets that were opened for it, in place of any former ones. Called inside the runtime
    /// that shall do the work.
    pub fn serve(&self, id: &str, client: Client, udp: UdpSocket, tcp: TcpListener) -> Result<(), Error> {
        let failed = |source| Error { container: id.to_owned(), source };
        let open = || {
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            Ok((tokio::net::UdpSocket::from_std(udp)?, tokio::net::TcpListener::from_std(tcp)?))
        };
        let (udp, tcp) = open().map_err(failed)?;
        let served = Arc::new(Served {
            client: RwLock::new(Arc::new(client)),
            open: Semaphore::new(OPEN_PER_CONTAINER_MAX),
        });
        let mut work = JoinSet::new();
        work.spawn(serve_udp(udp, self.clients.clone(), served.clone()));
        work.spawn(serve_tcp(tcp, self.clients.clone(), served.clone()));
        self.serving().insert(id.to_owned(), Serving { served, _work: work });
        Ok(())
    }

    /// Tells of a container that is on other networks now, or asks others. False if it is not served.
    pub fn replace(&self, id: &str, client: Client) -> bool {
        let serving = self.serving();
        let Some(Serving { served, .. }) = serving.get(id) else { return false };
        *served.client.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(client);
        true
    }

    /// Ends the answers to a container.
    pub fn stop(&self, id: &str) {
        self.serving().remove(id);
    }

    /// Returns the containers that are answered.
    pub fn served(&self) -> Vec<String> {
        self.serving().keys().cloned().collect()
    }

    /// Puts a network's names in place of its former ones.
    pub fn put_zone(&self, network: &str, zone: Zone) {
        let mut zones = self.clients.zones.write().unwrap_or_else(PoisonError::into_inner);
        zones.insert(network.to_owned(), Arc::new(zone));
    }

    /// Forgets the names of a network.
    pub fn remove_zone(&self, network: &str) {
        self.clients.zones.write().unwrap_or_else(PoisonError::into_inner).remove(network);
    }

    /// Returns the names of a network.
    pub fn zone(&self, network: &str) -> Option<Arc<Zone>> {
        self.clients.zones.read().unwrap_or_else(PoisonError::into_inner).get(network).cloned()
    }

    fn serving(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Serving>> {
        // Each change is one step.
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Answers out of the zones; nothing if the name is none of ours.
    pub(crate) fn own_answer(&self, served: &Served, question: &Question) -> Option<Vec<u8>> {
        let client = served.client();
        let zones: Vec<Arc<Zone>> = {
            let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
            client.networks.iter().filter_map(|network| zones.get(network).cloned()).collect()
        };
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        question.answer(&look_up(&zones, &question.name, question.kind, seed))
    }

    /// Asks other servers; nothing if there are none, none answers, or too much is asked already.
    pub(crate) async fn ask_others(&self, served: &Served, query: &[u8]) -> Option<Vec<u8>> {
        let servers = match &served.client().upstream {
            Upstream::Nobody => return None,
            Upstream::Host => self.host_servers.get(),
            Upstream::Servers(servers) => servers.clone(),
        };
        let _own = served.open.try_acquire().ok()?;
        let _shared = self.open.try_acquire().ok()?;
        forward::ask(&servers, query, self.patience).await
    }
}

impl Served {
    fn client(&self) -> Arc<Client> {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
