//! Which ports are open, and what it takes to open those of a table. Listeners open in the thread that calls.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::listen::{Listener, listen};
use crate::port::{Key, Port, Wanted};
use crate::roster::Roster;
use crate::worker::Command;
use crate::{Kept, PortCounters, PortProblem, Table};

/// A worker closes a listener between two events of its loop; one that is stuck must not stop the caller.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the ports of the last table.
#[derive(Debug)]
pub(crate) struct Ports {
    workers: Vec<UnboundedSender<Command>>,
    pub(crate) roster: Arc<Roster>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<Key, Open>,
    /// What a former process listened with, until the first table.
    inherited: BTreeMap<Key, Vec<Listener>>,
    /// Ports that wait to be opened, with what is wanted and the last refusal.
    waiting: BTreeMap<Key, (Wanted, io::Error)>,
}

/// Is an open port.
#[derive(Debug)]
struct Open {
    port: Arc<Port>,
    /// Its sockets; the workers hold others of their descriptors.
    sockets: Vec<OwnedFd>,
}

impl Ports {
    pub(crate) fn new(workers: Vec<UnboundedSender<Command>>, inherited: Vec<Kept>) -> Ports {
        let listeners = |Kept { port, transport, sockets }| {
            let sockets = sockets.into_iter().map(|socket| Listener::of(transport, socket));
            ((port, transport), sockets.collect())
        };
        let inherited = inherited.into_iter().map(listeners).collect();
        Ports { workers, roster: Arc::default(), state: Mutex::new(State { inherited, ..State::default() }) }
    }

    /// Makes the open ports be those of the table, as far as that is possible.
    pub(crate) fn apply(&self, table: Table) -> Vec<PortProblem> {
        let mut wanted: BTreeMap<Key, Wanted> =
            table.ports.into_iter().flat_map(|(number, published)| Wanted::of(number, published)).collect();
        let mut state = self.state();
        let is_gone = |key: &Key, _: &mut Open| !wanted.contains_key(key);
        let gone: BTreeMap<Key, Open> = state.open.extract_if(.., is_gone).collect();
        gone.values().for_each(|open| open.port.end());
        self.close(gone.keys());
        drop(gone);
        state.waiting.clear();
        for (key, open) in &state.open {
            if let Some(wanted) = wanted.remove(key) {
                open.port.replace(wanted);
            }
        }
        for (key, wanted) in wanted {
            self.open(&mut state, key, wanted);
        }
        state.inherited.clear();
        self.roster.tidy();
        for worker in &self.workers {
            let _ = worker.send(Command::Trim);
        }
        problems(&state)
    }

    /// Tries again to open what could not be opened, and tells whether something is left.
    pub(crate) fn retry(&self) -> bool {
        let mut state = self.state();
        for (key, (wanted, _)) in std::mem::take(&mut state.waiting) {
            self.open(&mut state, key, wanted);
        }
        !state.waiting.is_empty()
    }

    pub(crate) fn problems(&self) -> Vec<PortProblem> {
        problems(&self.state())
    }

    pub(crate) fn counters(&self) -> Vec<PortCounters> {
        self.state().open.values().map(|open| open.port.counters()).collect()
    }

    pub(crate) fn kept(&self) -> io::Result<Vec<Kept>> {
        let state = self.state();
        let kept = state.open.iter().map(|((port, transport), open)| {
            let sockets = open.sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
            Ok(Kept { port: *port, transport: *transport, sockets })
        });
        kept.collect()
    }

    /// Closes this side's descriptors, so that ports are free once the workers closed theirs.
    pub(crate) fn let_go(&self) {
        self.state().open.values_mut().for_each(|open| open.sockets.clear());
    }

    fn open(&self, state: &mut State, key: Key, wanted: Wanted) {
        let listeners = match state.inherited.remove(&key) {
            Some(inherited) => Ok(inherited),
            None => listen(key, self.workers.len()),
        };
        let opened = listeners.and_then(|listeners| {
            let sockets = listeners.iter().map(Listener::copy).collect::<io::Result<_>>()?;
            Ok((listeners, sockets))
        });
        match opened {
            Ok((listeners, sockets)) => {
                let port = Arc::new(Port::new(key, wanted, self.roster.clone()));
                // A former process may have had another number of workers.
                for (worker, listener) in self.workers.iter().cycle().zip(listeners) {
                    // A worker that ended has no use for it.
                    let _ = worker.send(Command::Listen(port.clone(), listener));
                }
                state.open.insert(key, Open { port, sockets });
            }
            Err(error) => {
                state.waiting.insert(key, (wanted, error));
            }
        }
    }

    /// Closes ports and returns once they are free.
    fn close<'k>(&self, keys: impl Iterator<Item = &'k Key>) {
        let (done, closed) = mpsc::channel();
        for key in keys {
            for worker in &self.workers {
                let _ = worker.send(Command::Close(*key, done.clone()));
            }
        }
        drop(done);
        while closed.recv_timeout(CLOSE_PATIENCE).is_ok() {}
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each step leaves the maps whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn problems(state: &State) -> Vec<PortProblem> {
    let copied = |error: &io::Error| {
        error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
    };
    let waiting = state.waiting.iter();
    let problem = |((port, transport), (_, error)): (&Key, &(Wanted, io::Error))| PortProblem {
        port: *port,
        transport: *transport,
        error: copied(error),
    };
    waiting.map(problem).collect()
}
