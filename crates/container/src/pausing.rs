//! Containers that stand still.

use std::io;
use std::path::Path;

use cgroup::Cgroups;
use shim::{Phase, Signal};
use tokio::task::spawn_blocking;

use crate::entry::Entry;
use crate::{Containers, Error};

impl Containers {
    /// Stops all processes of a running container where they are; it stays so when this process ends.
    pub async fn pause(&self, id: &str) -> Result<(), Error> {
        let entry = self.entry(id)?;
        match &*entry.news.phase.borrow() {
            Phase::Running(_) => {}
            Phase::Paused(_) => return Err(Error::Paused { id: id.to_owned() }),
            Phase::Created | Phase::Exited(_) => return Err(Error::NotRunning { id: id.to_owned() }),
        }
        with_cgroups(&entry, Cgroups::freeze).await.map_err(|error| match error.kind() {
            // It has ended in the meantime, and its cgroup is gone.
            io::ErrorKind::NotFound => Error::NotRunning { id: id.to_owned() },
            _ => Error::io("pause container", id)(error),
        })?;
        entry.news.phase.send_if_modified(|phase| match phase {
            Phase::Running(started) => {
                *phase = Phase::Paused(*started);
                true
            }
            Phase::Created | Phase::Paused(_) | Phase::Exited(_) => false,
        });
        Ok(())
    }

    /// Lets a paused container go on.
    pub async fn unpause(&self, id: &str) -> Result<(), Error> {
        let entry = self.entry(id)?;
        if !matches!(*entry.news.phase.borrow(), Phase::Paused(_)) {
            return Err(Error::NotPaused { id: id.to_owned() });
        }
        go_on(&entry).await
    }
}

/// Returns whether a signal is to end a container: for such a one a paused container goes on, as in Docker.
pub(crate) fn ends(entry: &Entry, signal: Signal) -> bool {
    signal == Signal::KILL || signal == entry.spec().stop_signal.unwrap_or(Signal::TERM)
}

/// Lets a container go on if it is paused.
pub(crate) async fn release(entry: &Entry) -> Result<(), Error> {
    let is_paused = matches!(*entry.news.phase.borrow(), Phase::Paused(_));
    if is_paused { go_on(entry).await } else { Ok(()) }
}

/// Returns whether a container that was just found again stands still.
pub(crate) fn is_paused(cgroup: &Path) -> bool {
    Cgroups::find(cgroup).is_ok_and(|cgroups| cgroups.is_frozen())
}

async fn go_on(entry: &Entry) -> Result<(), Error> {
    with_cgroups(entry, Cgroups::thaw).await.map_err(Error::io("unpause container", &entry.id))?;
    entry.news.phase.send_if_modified(|phase| match phase {
        Phase::Paused(started) => {
            *phase = Phase::Running(*started);
            true
        }
        Phase::Created | Phase::Running(_) | Phase::Exited(_) => false,
    });
    Ok(())
}

async fn with_cgroups(entry: &Entry, work: fn(&Cgroups) -> io::Result<()>) -> io::Result<()> {
    let cgroup = entry.cgroup.clone();
    let done = spawn_blocking(move || work(&Cgroups::find(&cgroup)?));
    done.await.expect("freezing does not panic")
}
