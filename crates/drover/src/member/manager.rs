//! The manager's part of a node: log, certificate authority, dispatcher, leader's loop.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use consensus::{ClusterState, Proposer, Raft, Role, Start};
use control::{Admission, Control};
use dispatcher::{Dispatcher, Managers};
use identity::{CaServer, Tls};
use model::NodeId;
use store::View;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::Routes;

use super::folder::Folder;
use crate::clock;

/// A running manager.
pub struct Manager {
    /// The user's verbs.
    pub control: Control,
    /// The agents' sessions, and the way to their logs.
    pub dispatcher: Dispatcher,
    /// Where managers are reached.
    pub managers: watch::Receiver<Managers>,
    raft: Raft<View>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

/// What a manager is started with.
pub struct Given<'a> {
    /// This node.
    pub node: NodeId,
    /// Its identity in use.
    pub tls: Tls,
    /// Where it keeps its log.
    pub folder: &'a Folder,
    /// Where other nodes reach it.
    pub advertise: SocketAddr,
    /// The socket it listens on.
    pub listener: TcpListener,
    /// How it comes into the group.
    pub start: Start,
}

/// Returns a node's number in the group: the lower half of its id.
pub fn raft_id(node: NodeId) -> u64 {
    (node.bits() as u64).max(1)
}

impl Manager {
    /// Starts all parts.
    pub async fn start(given: Given<'_>) -> anyhow::Result<Self> {
        let config = consensus::Config {
            dir: given.folder.log(),
            raft_id: raft_id(given.node),
            node_id: given.node.to_string(),
            address: given.advertise.to_string(),
            ..consensus::Config::default()
        };
        let entry_bytes_max = config.entry_bytes_max;
        let raft = Raft::start(config, ClusterState::default(), given.start, given.tls.clone())
            .await
            .context("start the cluster's log")?;
        let proposer = Proposer::new(raft.clone(), clock::now, entry_bytes_max);
        let (stop, stopped) = watch::channel(false);
        let (managers_in, managers) = watch::channel(Managers::new());
        let (dispatcher, dispatching) =
            Dispatcher::new(clock::now, proposer.clone(), given.tls.clone(), managers.clone());
        let mut routes = Routes::builder();
        routes.add_service(raft.service());
        routes.add_service(CaServer::service(Admission::new(proposer.clone())));
        routes.add_service(dispatcher.service());
        let mut loops = JoinSet::new();
        loops.spawn(dispatching);
        loops.spawn(manager::run(proposer.clone(), clock::now));
        loops.spawn(follow_members(proposer.clone(), managers_in));
        loops.spawn(serve(given.listener, given.tls, routes.routes(), stopped));
        Ok(Self { control: Control::new(proposer, clock::now), dispatcher, managers, raft, stop, loops })
    }

    /// Waits until this manager votes and knows its leader: from then on the cluster can do without the one that let
    /// it in, and its own node finds itself in the log.
    pub async fn caught_up(&self) -> anyhow::Result<()> {
        let mut statuses = self.raft.status();
        let status = statuses.wait_for(|status| match status.role {
            Role::Leader | Role::Follower | Role::Candidate => status.leader.is_some(),
            Role::Learner => false,
            Role::Removed => true,
        });
        let status = status.await.context("the cluster's log ended")?;
        if status.role == Role::Removed {
            bail!("this node was removed from the cluster while it joined");
        }
        Ok(())
    }

    /// Returns the log's handle.
    pub fn raft(&self) -> &Raft<View> {
        &self.raft
    }

    /// Ends all parts; what was acknowledged is on disk.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // The server lets calls end for a moment; the other loops have nothing to finish.
        let _either =
            tokio::time::timeout(std::time::Duration::from_millis(500), self.loops.join_next()).await;
        self.loops.shutdown().await;
        self.raft.shutdown().await;
    }
}

async fn serve(listener: TcpListener, tls: Tls, routes: Routes, mut stopped: watch::Receiver<bool>) {
    let stop = async move {
        // A sender that is gone means stop, too.
        let _gone = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = identity::serve(listener, tls, routes, stop).await {
        tracing::error!(%error, "this manager no longer answers other nodes");
    }
}

/// Keeps the list of managers as the log has it.
async fn follow_members(proposer: Proposer, managers: watch::Sender<Managers>) {
    let mut statuses = proposer.statuses();
    loop {
        let members: Managers = statuses
            .borrow_and_update()
            .members
            .iter()
            .filter_map(|member| Some((member.node_id.parse().ok()?, member.address.clone())))
            .collect();
        managers.send_if_modified(|former| {
            let differs = *former != members;
            *former = members;
            differs
        });
        if statuses.changed().await.is_err() {
            return;
        }
    }
}
