//! This host's place in a cluster: founding, joining, coming back, leaving.

mod addresses;
mod folder;
mod found;
mod join;
mod leave;
mod manager;
mod renewal;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;

use anyhow::Context;
use consensus::Start;
use docker_api::{ApiError, LocalState, Membership};
use engine::Engine;
use identity::{NodeIdentity, Role, Tls};
use image::Images;
use model::NodeId;
use network::Network;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::collector::Collector;
use crate::host::Host;
use crate::runtime::Names;
use addresses::Addresses;
use folder::{Folder, Place};
use manager::Manager;
use renewal::Renewal;
use worker::Worker;

/// What a node works with, in a cluster or not.
#[derive(Clone)]
pub struct Means {
    /// Facts about this host.
    pub host: Host,
    /// The images.
    pub images: Images,
    /// What keeps them from filling the disk.
    pub collector: Arc<Collector>,
    /// The containers.
    pub engine: Engine,
    /// The networks.
    pub network: Network,
    /// The names that containers find on them.
    pub names: Names,
    /// Where the place in a cluster is kept.
    pub data_root: PathBuf,
}

/// This host's place in a cluster.
pub struct Member {
    means: Means,
    folder: Folder,
    /// Held for the whole of a change, so that there is one at a time.
    active: Mutex<Option<Active>>,
    /// What others see; written at the end of each change.
    shown: StdMutex<Shown>,
}

/// A node that is part of a cluster.
struct Active {
    node: NodeId,
    place: Place,
    manager: Option<Manager>,
    worker: Worker,
    renewal: Renewal,
}

/// How a node comes into its cluster.
struct WayIn {
    start: Start,
    /// The manager's port, if it is taken already.
    listener: Option<TcpListener>,
    /// What the first entry of a new cluster's log says; the agent finds its node there.
    founding: Option<control::Founding>,
}

impl WayIn {
    fn of(start: Start) -> Self {
        Self { start, listener: None, founding: None }
    }
}

/// What others see of the place.
#[derive(Clone)]
struct Shown {
    membership: Membership,
    dispatcher: Option<dispatcher::Dispatcher>,
}

impl Member {
    /// Comes back into the cluster that this host was part of, if it was.
    pub async fn open(means: Means) -> anyhow::Result<Arc<Self>> {
        let folder = Folder::below(&means.data_root);
        let place = folder.read().with_context(|| format!("read {}", folder.path().display()))?;
        let member = Arc::new(Self {
            means,
            folder,
            active: Mutex::new(None),
            shown: StdMutex::new(Shown { membership: outside(LocalState::Inactive, ""), dispatcher: None }),
        });
        match place {
            Some(place) => {
                if let Err(error) = member.come_back(place).await {
                    let error = format!("{error:#}");
                    tracing::error!(%error, "this host cannot come back into its cluster");
                    member.show(Shown { membership: outside(LocalState::Error, &error), dispatcher: None });
                }
            }
            // What was half made by a crash in the middle of founding or joining is of no use.
            None => member.folder.remove().context("remove a half-made place in a cluster")?,
        }
        Ok(member)
    }

    /// Returns what this host is in a cluster.
    pub fn membership(&self) -> Membership {
        self.shown().membership
    }

    /// Returns the way to the logs of tasks, on a manager.
    pub fn dispatcher(&self) -> Option<dispatcher::Dispatcher> {
        self.shown().dispatcher
    }

    /// Ends the node's parts; containers go on.
    pub async fn stop(&self) {
        if let Some(active) = self.active.lock().await.take() {
            active.renewal.stop().await;
            active.worker.stop().await;
            if let Some(manager) = active.manager {
                manager.stop().await;
            }
        }
    }

    async fn come_back(&self, place: Place) -> anyhow::Result<()> {
        let identity = NodeIdentity::load(self.folder.path())?;
        let mut active = self.active.lock().await;
        let started = self.start(identity, place, WayIn::of(Start::Resume)).await?;
        self.enter(&mut active, started);
        Ok(())
    }

    /// Starts the node's parts for an identity that it has.
    async fn start(&self, identity: NodeIdentity, place: Place, way_in: WayIn) -> anyhow::Result<Active> {
        let node: NodeId = identity.node_id().parse().context("the certificate names no node id")?;
        let role = identity.role();
        let tls = Tls::new(identity);
        let advertise = place.addresses.advertise;
        let joins = matches!(way_in.start, Start::Join { .. });
        let manager = match role {
            Role::Manager => {
                let listener = match way_in.listener {
                    Some(listener) => listener,
                    None => listen(&place.addresses).await?,
                };
                let (folder, start) = (&self.folder, way_in.start);
                let given = manager::Given { node, tls: tls.clone(), folder, advertise, listener, start };
                Some(Manager::start(given).await?)
            }
            Role::Worker => None,
        };
        if let (Some(manager), true) = (&manager, joins) {
            manager.caught_up().await?;
        }
        if let (Some(manager), Some(founding)) = (&manager, way_in.founding) {
            let first = manager.control.proposer().propose(control::found(founding));
            first.await.context("write the first entry of the log")?;
        }
        let worker = Worker::start(&self.means, &self.folder, node, &tls, &place, manager.is_some()).await?;
        let renewal = Renewal::start(tls, self.folder.clone(), manager_addresses(manager.as_ref(), &place));
        Ok(Active { node, place, manager, worker, renewal })
    }

    /// Makes a started node this host's place, for all to see.
    fn enter(&self, active: &mut Option<Active>, started: Active) {
        let membership = Membership {
            state: LocalState::Active,
            node: Some(started.node),
            address: started.place.addresses.advertise.ip().to_string(),
            managers: remote_managers(&started),
            error: String::new(),
            control: started.manager.as_ref().map(|manager| manager.control.clone()),
        };
        let dispatcher = started.manager.as_ref().map(|manager| manager.dispatcher.clone());
        self.show(Shown { membership, dispatcher });
        *active = Some(started);
    }

    fn show(&self, shown: Shown) {
        *self.shown.lock().expect("no holder of this lock panics") = shown;
    }

    fn shown(&self) -> Shown {
        self.shown.lock().expect("no holder of this lock panics").clone()
    }
}

fn outside(state: LocalState, error: &str) -> Membership {
    Membership {
        state,
        node: None,
        address: String::new(),
        managers: Vec::new(),
        error: error.to_owned(),
        control: None,
    }
}

fn remote_managers(active: &Active) -> Vec<(String, String)> {
    match &active.manager {
        Some(manager) => {
            let managers = manager.managers.borrow();
            managers.iter().map(|(node, address)| (node.to_string(), address.clone())).collect()
        }
        None => active.place.managers.iter().map(|address| (String::new(), address.clone())).collect(),
    }
}

fn manager_addresses(manager: Option<&Manager>, place: &Place) -> Vec<String> {
    if manager.is_some() { vec![place.addresses.advertise.to_string()] } else { place.managers.clone() }
}

/// Takes the manager's port.
async fn listen(addresses: &Addresses) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addresses.listen).await.with_context(|| format!("listen on {}", addresses.listen))
}

fn already_member() -> ApiError {
    ApiError::new(
        docker_api::Status::Unavailable,
        "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.",
    )
}
