//! The handle: every verb on containers, and their adoption after a restart.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgroup::Cgroups;
use shim::place::{Launch, Place};
use shim::talk::{Message, Request};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::adoption::{Found, find_shim};
use crate::entry::{Entry, GONE_DEADLINE, LINES_MAX};
use crate::keeper::settle;
use crate::log::LogQuery;
use crate::pausing::{ends, is_paused, release};
use crate::{Error, Exit, LogLine, Phase, Signal, Spec, Status};

/// Names of directories that are being deleted begin like this; no id can.
const TRASH: &str = ".trash-";

/// Where containers are kept and how their shims are executed.
#[derive(Clone, Debug)]
pub struct Config {
    /// One directory per container; must survive a restart.
    pub root: PathBuf,
    /// The shims' sockets; a short path, since a socket's address holds 107 bytes.
    pub run: PathBuf,
    /// The program and first arguments that reach [`crate::shim_main`]; the container's directory is added.
    pub shim: Vec<OsString>,
    /// The cgroup that holds the containers' cgroups, such as `drover`.
    pub cgroup_parent: String,
}

/// What [`Containers::remove`] may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Refuse a running container.
    OnlyStopped,
    /// Kill it first.
    Forced,
}

/// All containers of one root directory; clones share them.
///
/// To be used inside a tokio runtime. Dropping it leaves the containers alone.
#[derive(Clone)]
pub struct Containers {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub config: Config,
    table: Mutex<BTreeMap<String, Arc<Entry>>>,
    trash: AtomicU64,
}

impl Containers {
    /// Adopts the containers that are there and finishes what was left half-done.
    pub async fn open(config: Config) -> Result<Containers, Error> {
        for dir in [&config.root, &config.run] {
            fs::create_dir_all(dir).map_err(Error::io("make directory", dir))?;
        }
        let shared = Shared {
            config,
            table: Mutex::default(),
            trash: AtomicU64::new(u64::from(std::process::id()) << 32),
        };
        let containers = Containers { shared: Arc::new(shared) };
        let root = &containers.shared.config.root;
        let entries = fs::read_dir(root).map_err(Error::io("read directory", root))?;
        for entry in entries {
            let dir = entry.map_err(Error::io("read directory", root))?.path();
            if dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(TRASH.as_bytes())) {
                delete(dir);
            } else if dir.is_dir() {
                containers.adopt(dir).await;
            }
        }
        Ok(containers)
    }

    /// Sends a signal to the first process.
    ///
    /// A paused container gets it when it goes on, which the kill signal and its stop signal see to.
    pub async fn signal(&self, id: &str, signal: Signal) -> Result<(), Error> {
        let entry = self.entry(id)?;
        match entry.call(Request::Signal(signal)).await? {
            Message::Done if ends(&entry, signal) => release(&entry).await,
            Message::Done => Ok(()),
            other => Err(entry.unexpected(other)),
        }
    }

    /// Sends the stop signal, waits for the grace period, kills what is left, and says how it ended.
    pub async fn stop(&self, id: &str, signal: Option<Signal>, grace: Duration) -> Result<Exit, Error> {
        let entry = self.entry(id)?;
        let signal = signal.or(entry.spec().stop_signal).unwrap_or(Signal::TERM);
        // A parked process would take no notice of a polite signal.
        let phase = entry.news.phase.borrow().clone();
        if phase == Phase::Created && entry.calls().is_none() {
            return Err(Error::NotRunning { id: id.to_owned() });
        }
        let is_running = matches!(phase, Phase::Running(_) | Phase::Paused(_));
        if is_running && !grace.is_zero() {
            self.signal_unless_ended(&entry, signal).await?;
            if let Ok(exit) = timeout(grace, entry.ended()).await {
                return exit;
            }
        }
        self.kill(&entry).await
    }

    /// Waits until the container has ended.
    pub async fn wait(&self, id: &str) -> Result<Exit, Error> {
        self.entry(id)?.ended().await
    }

    /// Removes the container, its writable layer and its log.
    ///
    /// When this returns, its processes, mounts and cgroups are gone and the id is free; its files are being deleted.
    pub async fn remove(&self, id: &str, removal: Removal) -> Result<(), Error> {
        let entry = self.entry(id)?;
        let is_running = matches!(*entry.news.phase.borrow(), Phase::Running(_) | Phase::Paused(_));
        if is_running && removal == Removal::OnlyStopped {
            return Err(Error::Running { id: id.to_owned() });
        }
        let this = self.clone();
        finish(tokio::spawn(async move { this.remove_whole(&entry).await }).await)
    }

    /// Lists all containers by id.
    pub fn list(&self) -> Vec<Status> {
        self.table().values().map(|entry| entry.status()).collect()
    }

    /// Returns one container's line of the list.
    pub fn status(&self, id: &str) -> Result<Status, Error> {
        Ok(self.entry(id)?.status())
    }

    /// Returns what the container was made of.
    pub fn spec(&self, id: &str) -> Result<Spec, Error> {
        Ok(Spec::clone(&self.entry(id)?.spec()))
    }

    /// Returns where the log's latest file is, unless no log is kept.
    pub fn log_path(&self, id: &str) -> Result<Option<PathBuf>, Error> {
        let entry = self.entry(id)?;
        let is_kept = !entry.spec().discard_log;
        Ok(is_kept.then(|| entry.place.log()))
    }

    /// Reads the log; the channel closes after the last line, which with `follow` is the container's last.
    pub fn logs(&self, id: &str, query: LogQuery) -> Result<mpsc::Receiver<LogLine>, Error> {
        let entry = self.entry(id)?;
        let (sender, receiver) = mpsc::channel(LINES_MAX);
        // Ends with the log or with its receiver.
        tokio::spawn(async move { entry.read_log(query, sender).await });
        Ok(receiver)
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entry(&self, id: &str) -> Result<Arc<Entry>, Error> {
        self.table().get(id).cloned().ok_or_else(|| Error::NotFound { id: id.to_owned() })
    }

    /// Sends a signal that is to end it, also if it is paused.
    pub(crate) async fn signal_unless_ended(&self, entry: &Entry, signal: Signal) -> Result<(), Error> {
        match entry.call(Request::Signal(signal)).await {
            Err(Error::NotRunning { .. } | Error::ShimGone { .. }) => Ok(()),
            other => other.map(drop),
        }?;
        release(entry).await
    }

    async fn kill(&self, entry: &Entry) -> Result<Exit, Error> {
        self.signal_unless_ended(entry, Signal::KILL).await?;
        timeout(GONE_DEADLINE, entry.ended()).await.unwrap_or_else(|_| Err(entry.stuck()))
    }

    async fn remove_whole(&self, entry: &Entry) -> Result<(), Error> {
        if entry.calls().is_some() {
            self.signal_unless_ended(entry, Signal::KILL).await?;
        }
        entry.shim_gone().await?;
        self.table().remove(&entry.id);
        self.discard(entry.place.clone(), entry.cgroup.clone()).await;
        Ok(())
    }

    /// Takes everything away that a container without a shim has left, and frees its id.
    pub(crate) async fn discard(&self, place: Place, cgroup: PathBuf) {
        let number = self.shared.trash.fetch_add(1, Ordering::Relaxed);
        let trash = self.shared.config.root.join(format!("{TRASH}{number:x}"));
        let discarded = spawn_blocking(move || {
            settle(&place, &cgroup);
            if let Err(error) = Cgroups::find(&cgroup).and_then(|cgroups| cgroups.remove()) {
                tracing::warn!(%error, "remove the cgroups of {}", place.dir.display());
            }
            let _ = fs::remove_file(&place.socket);
            match fs::rename(&place.dir, &trash) {
                Ok(()) => delete(trash),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, "remove {}", place.dir.display()),
            }
        });
        discarded.await.expect("discarding does not panic");
    }

    /// Takes in a container that an earlier process made, whatever became of it.
    async fn adopt(&self, dir: PathBuf) {
        let bare = Place { dir: dir.clone(), socket: PathBuf::new() };
        let launch = match bare.read_launch() {
            Ok(launch) if launch.place.dir == dir => launch,
            Ok(_) | Err(_) => {
                tracing::warn!("remove {}, which holds no readable container", dir.display());
                return delete(dir);
            }
        };
        let Launch { spec, place, cgroup } = launch;
        let (phase, link) = match find_shim(&place).await {
            Found::Shim(link, Message::Started(started)) if is_paused(&cgroup) => {
                (Phase::Paused(started), Some(link))
            }
            Found::Shim(link, Message::Started(started)) => (Phase::Running(started), Some(link)),
            Found::Shim(link, _) => (Phase::Created, Some(link)),
            Found::Nothing(_kept) => {
                match (place.created().exists(), place.read_started(), place.read_exit()) {
                    (true, None, None) => (Phase::Created, None),
                    (true, ..) | (false, Some(_), _) => (Phase::Exited(settled(&place, &cgroup).await), None),
                    (false, None, _) => return self.discard(place, cgroup).await,
                }
            }
        };
        let entry = Entry::new(spec, place, cgroup, phase);
        if let Some(link) = link {
            entry.keep(link);
        }
        self.table().insert(entry.id.clone(), Arc::new(entry));
    }
}

async fn settled(place: &Place, cgroup: &Path) -> Exit {
    let (place, cgroup) = (place.clone(), cgroup.to_owned());
    spawn_blocking(move || settle(&place, &cgroup)).await.expect("settling does not panic")
}

/// Deletes a directory beside the caller's path; what a dying process leaves, the next `open` deletes.
pub(crate) fn delete(dir: PathBuf) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = fs::remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "delete {}", dir.display());
        }
    });
}

/// Passes a panic of a task on to whoever waits for it.
pub(crate) fn finish<T>(joined: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    match joined {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
