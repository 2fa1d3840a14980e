//! The handle on everything, and what it holds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use container::Containers;
use engine_json::Time;
use image::Images;
use network::Network;
use volume::Volumes;

use crate::Error;
use crate::events::Events;
use crate::exec::Sessions;
use crate::record::Record;
use crate::table::{Entry, Table};

/// Where the records of containers are kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// One file per container; must survive a restart.
    pub root: PathBuf,
}

/// What containers are made with; each is shared with others.
#[derive(Clone)]
pub struct Parts {
    /// What runs.
    pub containers: Containers,
    /// What it is made from.
    pub images: Images,
    /// What outlives it.
    pub volumes: Volumes,
    /// How it is reached.
    pub network: Network,
}

/// The containers of one host; clones share them.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub config: Config,
    pub parts: Parts,
    pub events: Events,
    pub execs: Sessions,
    table: Mutex<Table>,
}

impl Engine {
    /// Makes the handle over records that were read before.
    pub(crate) fn new(config: Config, parts: Parts) -> Engine {
        let (events, execs) = (Events::default(), Sessions::default());
        let inner = Inner { config, parts, events, execs, table: Mutex::default() };
        Engine { inner: Arc::new(inner) }
    }

    /// Returns where events are told.
    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    /// Gives access to the table; for moments, and never across a wait.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a container by id, name or the beginning of its id.
    pub(crate) fn entry(&self, wanted: &str) -> Result<Arc<Entry>, Error> {
        self.table().find(wanted)
    }

    /// Returns the processes that containers are.
    pub fn containers(&self) -> &Containers {
        &self.inner.parts.containers
    }

    pub(crate) fn images(&self) -> &Images {
        &self.inner.parts.images
    }

    pub(crate) fn volumes(&self) -> &Volumes {
        &self.inner.parts.volumes
    }

    /// Returns the networks of this host, from which containers get theirs.
    pub fn network(&self) -> &Network {
        &self.inner.parts.network
    }

    /// Does something to its end, also if the client that asked for it goes away.
    pub(crate) async fn whole<T, F>(&self, work: impl FnOnce(Engine) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        joined(tokio::spawn(work(self.clone())).await)
    }

    /// Changes a record, and writes it if that changed anything.
    ///
    /// A record that cannot be written is told in the log: what it says stays true as long as this process lives.
    pub(crate) fn note(&self, entry: &Entry, change: impl FnOnce(&mut Record)) {
        let mut record = entry.record();
        let before = record.clone();
        change(&mut record);
        if *record != before
            && let Err(error) = record.write(&self.inner.config.root)
        {
            tracing::warn!(container = entry.id, %error, "the record of a container is not written");
        }
    }
}

/// Does what waits for the disk where that keeps nobody else waiting.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Passes a panic on to whoever waits.
fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    match joined {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Returns the present time.
pub(crate) fn now() -> Time {
    json_time(SystemTime::now())
}

/// Turns a time of the system into one of the API.
pub(crate) fn json_time(time: SystemTime) -> Time {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_nanoseconds(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
