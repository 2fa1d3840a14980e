//! One container in the table of the handle, and the way to its shim.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shim::place::{self, Launch, Place};
use shim::talk::{Message, Request};
use shim::{Size, Streams};
use tokio::sync::{RwLock, mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::keeper::{Call, Keeper, Link, News};
use crate::launch::refusal;
use crate::log::{LogQuery, Reader};
use crate::{Error, Exit, LogLine, Phase, Spec, Status};

/// Requests that wait for one shim; more callers wait for room.
const CALLS_MAX: usize = 16;
/// Lines of one log on their way to a reader; the reader of the files waits for room.
pub(crate) const LINES_MAX: usize = 256;
/// How long a killed container may take to be gone.
pub(crate) const GONE_DEADLINE: Duration = Duration::from_secs(30);

/// One container.
pub(crate) struct Entry {
    pub id: String,
    spec: Mutex<Arc<Spec>>,
    pub place: Place,
    pub cgroup: PathBuf,
    pub news: Arc<News>,
    /// Held while files of the container are looked at, alone by whoever mounts its root.
    pub root: Arc<RwLock<()>>,
    /// The way to the keeper of a living shim.
    calls: Mutex<Option<mpsc::Sender<Call>>>,
    /// One shim at a time is made ready.
    pub turn: tokio::sync::Mutex<()>,
    /// What is to be told to the next shim.
    pub expected: Mutex<Expected>,
}

/// What was asked for before there was a shim to ask.
#[derive(Default)]
pub(crate) struct Expected {
    /// Who attached.
    pub viewers: Vec<(OwnedFd, Streams)>,
    /// The size of the terminal.
    pub size: Option<Size>,
}

impl Entry {
    pub(crate) fn new(spec: Spec, place: Place, cgroup: PathBuf, phase: Phase) -> Entry {
        let news = News {
            phase: watch::Sender::new(phase),
            log: watch::Sender::new(0),
            execs: watch::Sender::new(0),
        };
        let (id, spec) = (spec.id.clone(), Mutex::new(Arc::new(spec)));
        Entry {
            id,
            spec,
            place,
            cgroup,
            news: Arc::new(news),
            root: Arc::default(),
            calls: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            expected: Mutex::default(),
        }
    }

    pub(crate) fn spec(&self) -> Arc<Spec> {
        self.spec.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the spec, on disk too: whole or not at all.
    pub(crate) fn redefine(&self, spec: Spec) -> Result<(), Error> {
        let Entry { place, cgroup, .. } = self;
        let (whole, part) = (place.launch(), place.launch().with_extension("new"));
        let launch = Launch { spec, place: place.clone(), cgroup: cgroup.clone() };
        place::write(&part, &launch)
            .and_then(|()| std::fs::rename(&part, &whole))
            .map_err(Error::io("write", whole))?;
        *self.spec.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(launch.spec);
        Ok(())
    }

    pub(crate) fn calls(&self) -> Option<mpsc::Sender<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|calls| !calls.is_closed())
    }

    /// Sets a keeper to watch the shim. It ends with the shim or with this entry.
    pub(crate) fn keep(&self, link: Link) {
        let (sender, calls) = mpsc::channel(CALLS_MAX);
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let (news, place, cgroup) = (self.news.clone(), self.place.clone(), self.cgroup.clone());
        tokio::spawn(Keeper { link, calls, news, place, cgroup }.run());
    }

    pub(crate) fn status(&self) -> Status {
        let phase = self.news.phase.borrow().clone();
        Status { id: self.id.clone(), labels: self.spec().labels.clone(), phase }
    }

    pub(crate) async fn call(&self, request: Request) -> Result<Message, Error> {
        let id = || self.id.clone();
        let calls = self.calls().ok_or_else(|| Error::NotRunning { id: id() })?;
        let (reply, answer) = oneshot::channel();
        calls.send(Call { request, reply }).await.map_err(|_| Error::NotRunning { id: id() })?;
        answer.await.map_err(|_| Error::ShimGone { id: id() })
    }

    pub(crate) fn unexpected(&self, message: Message) -> Error {
        match message {
            Message::Failed(failure) => refusal(&self.id, failure),
            other => Error::Setup { id: self.id.clone(), reason: format!("the shim answered {other:?}") },
        }
    }

    pub(crate) fn unvisited(&self, reason: String) -> Error {
        Error::Setup { id: self.id.clone(), reason }
    }

    pub(crate) fn stuck(&self) -> Error {
        Error::Stuck { id: self.id.clone(), seconds: GONE_DEADLINE.as_secs() }
    }

    pub(crate) async fn ended(&self) -> Result<Exit, Error> {
        let mut phase = self.news.phase.subscribe();
        let seen = phase.wait_for(|phase| matches!(phase, Phase::Exited(_))).await;
        match seen.as_deref() {
            Ok(Phase::Exited(exit)) => Ok(exit.clone()),
            Ok(Phase::Created | Phase::Running(_) | Phase::Paused(_)) | Err(_) => {
                Err(Error::ShimGone { id: self.id.clone() })
            }
        }
    }

    /// Waits until no shim serves this container.
    pub(crate) async fn shim_gone(&self) -> Result<(), Error> {
        match self.calls() {
            None => Ok(()),
            Some(calls) => timeout(GONE_DEADLINE, calls.closed()).await.map_err(|_| self.stuck()),
        }
    }

    pub(crate) async fn read_log(&self, query: LogQuery, sender: mpsc::Sender<LogLine>) {
        let follow = query.follow;
        let mut reader = Reader::open(self.place.log(), query);
        let (mut grew, mut phase) = (self.news.log.subscribe(), self.news.phase.subscribe());
        if follow {
            // A container without a shim writes nothing.
            let _ = self.call(Request::WatchLog(true)).await;
        }
        loop {
            grew.mark_unchanged();
            let has_ended = matches!(*phase.borrow_and_update(), Phase::Exited(_));
            let read = spawn_blocking(move || (reader.batch(LINES_MAX), reader)).await;
            let (lines, back) = read.expect("reading a log does not panic");
            reader = back;
            let lines = lines.unwrap_or_else(|error| {
                tracing::warn!(%error, "read {}", self.place.log().display());
                Vec::new()
            });
            let found = !lines.is_empty();
            for line in lines {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
            if found {
                continue;
            }
            if !follow || has_ended {
                return;
            }
            tokio::select! {
                _ = grew.changed() => {}
                _ = phase.changed() => {}
                () = sender.closed() => return,
            }
        }
    }
}
