//! The worker's part of a node: its agent, over this host's containers and networks.

use std::sync::Arc;

use agent::{Agent, Connection, Runtime as _};
use anyhow::Context;
use identity::Tls;
use model::NodeId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Means;
use super::folder::{Folder, Place};
use crate::clock;
use crate::runtime::{Networks, Runtime};

/// How many containers are made or started at a time, per CPU. Making one waits for the kernel more than it computes.
const STARTS_PER_CPU: u64 = 32;

/// A running agent.
pub struct Worker {
    runtime: Arc<Runtime>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Worker {
    /// Starts the agent.
    pub async fn start(
        means: &Means,
        folder: &Folder,
        node: NodeId,
        tls: &Tls,
        place: &Place,
        is_manager: bool,
    ) -> anyhow::Result<Self> {
        let address = Some(place.addresses.data_path);
        means.network.set_underlay(address).await.context("give this host's network the node's address")?;
        let runtime = Arc::new(Runtime {
            node,
            host: means.host.clone(),
            images: means.images.clone(),
            collector: means.collector.clone(),
            engine: means.engine.clone(),
            networks: Networks::new(means.network.clone(), means.names.clone(), means.host.cpus as usize),
        });
        let config = agent::Config {
            node,
            dir: folder.path().to_owned(),
            concurrency: (means.host.cpus * STARTS_PER_CPU) as usize,
            clock: clock::now,
        };
        let agent = Agent::open(config, runtime.clone()).await.context("start the agent")?;
        let managers =
            if is_manager { vec![place.addresses.advertise.to_string()] } else { place.managers.clone() };
        let connection =
            Connection { tls: tls.clone(), address: place.addresses.data_path.to_string(), managers };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(agent.run(connection, stopped));
        Ok(Self { runtime, stop, running })
    }

    /// Ends the agent; containers go on.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the agent broke");
        }
    }

    /// Ends the agent and everything that it ran.
    pub async fn leave(self) {
        let Self { runtime, stop, running } = self;
        stop.send_replace(true);
        if let Err(error) = running.await {
            tracing::error!(%error, "the agent broke");
        }
        for seen in runtime.seen().await.unwrap_or_default() {
            runtime.release(seen.task).await;
            if let Err(error) = runtime.remove(seen.task).await {
                tracing::warn!(task = %seen.task, %error, "a task's container is not removed");
            }
        }
        runtime.networks.leave().await;
    }
}
