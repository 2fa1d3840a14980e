//! A container's files, as it sees them, running or not.

use std::fs::File;
use std::panic::resume_unwind;

use cgroup::Cgroups;
use shim::place::Launch;
use shim::{Phase, visit_at_rest};
use tokio::task::spawn_blocking;

use crate::entry::Entry;
use crate::{Containers, Error, Spec};

impl Containers {
    /// Calls `visit` with the container's root as an opened directory, from which its files and volumes are reached as
    /// it sees them: by `openat2` with `RESOLVE_IN_ROOT`, without which its links lead to the host's files.
    ///
    /// The closure may block. For a container that does not run, the root is mounted for one thread alone, without
    /// `/proc`, `/dev` and memory; it starts only after the visit.
    pub async fn visit_root<T: Send + 'static>(
        &self,
        id: &str,
        visit: impl FnOnce(&File) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let entry = self.entry(id)?;
        loop {
            let shared = entry.root.clone().read_owned().await;
            if let Some(root) = opened(&entry).await {
                let seen = spawn_blocking(move || (visit(&root), shared));
                return Ok(seen.await.unwrap_or_else(|error| resume_unwind(error.into_panic())).0);
            }
            drop(shared);
            let alone = entry.root.clone().write_owned().await;
            if is_served(&entry) {
                // It was started in the meantime, or has just ended, which its shim is about to say.
                continue;
            }
            // The shim of a container that has ended still holds the root.
            entry.shim_gone().await?;
            let (place, cgroup) = (entry.place.clone(), entry.cgroup.clone());
            let launch = Launch { spec: Spec::clone(&entry.spec()), place, cgroup };
            // A thread of its own, since it leaves the host's mounts for good.
            let thread = std::thread::spawn(move || (visit_at_rest(&launch, visit), alone));
            let seen =
                spawn_blocking(move || thread.join()).await.expect("waiting for a thread does not panic");
            return seen
                .unwrap_or_else(|panic| resume_unwind(panic))
                .0
                .map_err(|reason| entry.unvisited(reason));
        }
    }
}

/// Returns whether a shim holds a container that has not ended.
fn is_served(entry: &Entry) -> bool {
    entry.calls().is_some() && !matches!(*entry.news.phase.borrow(), Phase::Exited(_))
}

/// Opens the root of a container that runs or is ready to.
async fn opened(entry: &Entry) -> Option<File> {
    while is_served(entry) {
        let started = match &*entry.news.phase.borrow() {
            Phase::Running(started) | Phase::Paused(started) => Some(started.pid),
            Phase::Created | Phase::Exited(_) => None,
        };
        let cgroup = entry.cgroup.clone();
        let open = move || {
            let cgroups = Cgroups::find(&cgroup).ok()?;
            let pid = started.or_else(|| cgroups.processes().first().copied())?;
            let root = File::open(format!("/proc/{pid}/root")).ok()?;
            // Its number may have gone to somebody else before it was opened, but not into its cgroup.
            cgroups.processes().contains(&pid).then_some(root)
        };
        match spawn_blocking(open).await.expect("opening a directory does not panic") {
            Some(root) => return Some(root),
            None => {
                // It has just ended.
                let _ = entry.ended().await;
            }
        }
    }
    None
}
