//! Which ports are open, and what it takes to open those of a table. Listeners open in the thread that calls.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::listen::listen;
use crate::port::Port;
use crate::worker::Command;
use crate::{Backend, PortCounters, PortProblem, Table};

/// A worker closes a listener between two events of its loop; one that is stuck must not stop the caller.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the ports of the last table.
#[derive(Debug)]
pub(crate) struct Ports {
    workers: Vec<UnboundedSender<Command>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u16, Arc<Port>>,
    /// Ports that wait to be opened, with their backends and the last refusal.
    waiting: BTreeMap<u16, (Vec<Backend>, io::Error)>,
}

impl Ports {
    pub(crate) fn new(workers: Vec<UnboundedSender<Command>>) -> Ports {
        Ports { workers, state: Mutex::default() }
    }

    /// Makes the open ports be those of the table, as far as that is possible.
    pub(crate) fn apply(&self, table: Table) -> Vec<PortProblem> {
        let mut state = self.state();
        let gone: Vec<_> =
            state.open.keys().filter(|port| !table.ports.contains_key(port)).copied().collect();
        self.close(&gone);
        for port in gone {
            state.open.remove(&port);
        }
        state.waiting.clear();
        for (number, backends) in table.ports {
            match state.open.get(&number) {
                Some(port) => port.replace(backends),
                None => self.open(&mut state, number, backends),
            }
        }
        problems(&state)
    }

    /// Tries again to open what could not be opened, and tells whether something is left.
    pub(crate) fn retry(&self) -> bool {
        let mut state = self.state();
        for (number, (backends, _)) in std::mem::take(&mut state.waiting) {
            self.open(&mut state, number, backends);
        }
        !state.waiting.is_empty()
    }

    pub(crate) fn problems(&self) -> Vec<PortProblem> {
        problems(&self.state())
    }

    pub(crate) fn counters(&self) -> Vec<PortCounters> {
        self.state().open.values().map(|port| port.counters()).collect()
    }

    fn open(&self, state: &mut State, number: u16, backends: Vec<Backend>) {
        match listen(number, self.workers.len()) {
            Ok(listeners) => {
                let port = Arc::new(Port::new(number, backends));
                for (worker, listener) in self.workers.iter().zip(listeners) {
                    // A worker that ended has no use for it.
                    let _ = worker.send(Command::Listen(port.clone(), listener));
                }
                state.open.insert(number, port);
            }
            Err(error) => {
                state.waiting.insert(number, (backends, error));
            }
        }
    }

    /// Closes ports and returns once they are free.
    fn close(&self, numbers: &[u16]) {
        let (done, closed) = mpsc::channel();
        for number in numbers {
            for worker in &self.workers {
                let _ = worker.send(Command::Close(*number, done.clone()));
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
    waiting.map(|(port, (_, error))| PortProblem { port: *port, error: copied(error) }).collect()
}
