//! All commands that were prepared, until they are forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use container_json::ExecBody;
use tokio::sync::watch;

use crate::Error;
use crate::detach_keys::DetachKeys;

/// How long a command that has ended may still be asked for.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// A command beside a container's program.
pub(crate) struct Exec {
    pub id: String,
    /// The id of the container.
    pub container: String,
    /// What it is, as the client wrote it.
    pub body: ExecBody,
    /// The keys that leave it.
    pub keys: DetachKeys,
    pub state: watch::Sender<State>,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Prepared,
    Starting,
    Running { pid: i32 },
    Ended { code: i32, at: Instant },
}

impl Exec {
    pub(crate) fn new(id: String, container: String, body: ExecBody, keys: DetachKeys) -> Arc<Exec> {
        Arc::new(Exec { id, container, body, keys, state: watch::Sender::new(State::Prepared) })
    }

    /// Takes the right to start it, which there is once.
    pub(crate) fn claim(&self) -> Result<(), Error> {
        let mut refusal = None;
        self.state.send_if_modified(|state| match *state {
            State::Prepared => {
                *state = State::Starting;
                true
            }
            State::Starting | State::Running { .. } => {
                refusal = Some("is already running");
                false
            }
            State::Ended { .. } => {
                refusal = Some("has already run");
                false
            }
        });
        match refusal {
            None => Ok(()),
            Some(why) => Err(Error::conflict(format!("Error: Exec command {} {why}", self.id))),
        }
    }

    pub(crate) fn end(&self, code: i32) {
        self.state.send_replace(State::Ended { code, at: Instant::now() });
    }
}

/// Keeps commands by id.
#[derive(Default)]
pub(crate) struct Sessions {
    by_id: Mutex<BTreeMap<String, Arc<Exec>>>,
}

impl Sessions {
    /// Puts a command in; returns the one that is there under its id, which is another if that was first.
    pub(crate) fn insert(&self, exec: Arc<Exec>) -> Arc<Exec> {
        self.by_id().entry(exec.id.clone()).or_insert(exec).clone()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Exec>> {
        self.by_id().get(id).cloned()
    }

    /// Returns the ids of the commands that run in a container.
    pub(crate) fn running_in(&self, container: &str) -> Vec<String> {
        let is_running = |exec: &&Arc<Exec>| {
            exec.container == container && matches!(*exec.state.borrow(), State::Running { .. })
        };
        self.by_id().values().filter(is_running).map(|exec| exec.id.clone()).collect()
    }

    /// Forgets what ended some time ago or has no container any more.
    pub(crate) fn forget_old(&self, now: Instant, has_container: impl Fn(&str) -> bool) {
        let containers: BTreeSet<String> = self.by_id().values().map(|exec| exec.container.clone()).collect();
        // Asked without the lock: to find a container takes a lock of its own.
        let gone: BTreeSet<String> =
            containers.into_iter().filter(|container| !has_container(container)).collect();
        self.by_id().retain(|_, exec| {
            let is_old =
                matches!(*exec.state.borrow(), State::Ended { at, .. } if now.duration_since(at) >= KEPT);
            !is_old && !gone.contains(&exec.container)
        });
    }

    fn by_id(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Exec>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(id: &str, container: &str) -> Arc<Exec> {
        Exec::new(id.into(), container.into(), ExecBody::default(), DetachKeys::default())
    }

    #[test]
    fn a_command_starts_once() {
        let exec = exec("e1", "c1");

        assert_eq!(exec.claim(), Ok(()));
        assert_eq!(exec.claim().unwrap_err().text(), "Error: Exec command e1 is already running");
        exec.end(0);
        assert_eq!(exec.claim().unwrap_err().text(), "Error: Exec command e1 has already run");
    }

    #[test]
    fn what_ended_is_forgotten_after_a_while_and_with_its_container() {
        let sessions = Sessions::default();
        for (id, container) in [("ended", "c1"), ("running", "c1"), ("prepared", "c1"), ("lost", "c2")] {
            sessions.insert(exec(id, container));
        }
        sessions.get("ended").unwrap().end(0);
        sessions.get("running").unwrap().state.send_replace(State::Running { pid: 1 });
        let left = |sessions: &Sessions| sessions.by_id().keys().cloned().collect::<Vec<_>>().join(" ");

        sessions.forget_old(Instant::now(), |container| container == "c1");
        let first = left(&sessions);
        sessions.forget_old(Instant::now() + KEPT, |container| container == "c1");

        assert_eq!(first, "ended prepared running");
        assert_eq!(left(&sessions), "prepared running");
        assert_eq!(sessions.running_in("c1"), ["running"]);
        assert_eq!(sessions.insert(exec("running", "c9")).container, "c1");
    }
}
