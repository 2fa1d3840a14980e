//! Which ports are open, and what it takes to open those of a table. Listeners open in the thread that calls.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::listen::listen;
use crate::port::{Key, Port, Wanted};
use crate::roster::Roster;
use crate::worker::Command;
use crate::{PortCounters, PortProblem, Table};

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
    open: BTreeMap<Key, Arc<Port>>,
    /// Ports that wait to be opened, with what is wanted and the last refusal.
    waiting: BTreeMap<Key, (Wanted, io::Error)>,
}

impl Ports {
    pub(crate) fn new(workers: Vec<UnboundedSender<Command>>) -> Ports {
        Ports { workers, roster: Arc::default(), state: Mutex::default() }
    }

    /// Makes the open ports be those of the table, as far as that is possible.
    pub(crate) fn apply(&self, table: Table) -> Vec<PortProblem> {
        let mut wanted: BTreeMap<Key, Wanted> =
            table.ports.into_iter().flat_map(|(number, published)| Wanted::of(number, published)).collect();
        let mut state = self.state();
        let is_gone = |key: &Key, _: &mut Arc<Port>| !wanted.contains_key(key);
        let gone: BTreeMap<Key, Arc<Port>> = state.open.extract_if(.., is_gone).collect();
        gone.values().for_each(|port| port.end());
        self.close(gone.keys());
        state.waiting.clear();
        for (key, port) in &state.open {
            if let Some(wanted) = wanted.remove(key) {
                port.replace(wanted);
            }
        }
        for (key, wanted) in wanted {
            self.open(&mut state, key, wanted);
        }
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
        self.state().open.values().map(|port| port.counters()).collect()
    }

    fn open(&self, state: &mut State, key: Key, wanted: Wanted) {
        match listen(key, self.workers.len()) {
            Ok(listeners) => {
                let port = Arc::new(Port::new(key, wanted, self.roster.clone()));
                for (worker, listener) in self.workers.iter().zip(listeners) {
                    // A worker that ended has no use for it.
                    let _ = worker.send(Command::Listen(port.clone(), listener));
                }
                state.open.insert(key, port);
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
