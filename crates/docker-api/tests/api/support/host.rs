//! The API of one host on a unix socket in a temporary folder.

use std::path::PathBuf;
use std::sync::Arc;

use docker_api::{Listener, LocalState, serve};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Cluster, FakeEngine};

/// A host that serves the API until it is dropped.
pub struct Host {
    pub engine: Arc<FakeEngine>,
    pub socket: PathBuf,
    cluster: Option<Cluster>,
    serving: JoinHandle<()>,
    _stop: watch::Sender<bool>,
    _dir: TempDir,
}

impl Host {
    /// Returns the first manager of a cluster.
    pub async fn manager() -> Self {
        let cluster = Cluster::found().await;
        let engine = FakeEngine::new(LocalState::Active, Some((cluster.node, cluster.control.clone())));
        Self::serving(engine, Some(cluster))
    }

    /// Returns a host in no cluster, which `swarm init` makes the first manager of one.
    pub async fn founder() -> Self {
        let cluster = Cluster::found().await;
        let engine =
            FakeEngine::new(LocalState::Inactive, None).founding(cluster.node, cluster.control.clone());
        Self::serving(engine, Some(cluster))
    }

    /// Returns a host that is no manager.
    pub fn outside(state: LocalState) -> Self {
        Self::serving(FakeEngine::new(state, None), None)
    }

    fn serving(engine: FakeEngine, cluster: Option<Cluster>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("drover.sock");
        let engine = Arc::new(engine);
        let (stop, stopped) = watch::channel(false);
        let listener = Listener::Unix(UnixListener::bind(&socket).unwrap());
        let serving = tokio::spawn(serve(listener, engine.clone(), stopped));
        Self { engine, socket, cluster, serving, _stop: stop, _dir: dir }
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("this host manages a cluster")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
