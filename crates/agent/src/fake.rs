//! A host whose containers do what a test says.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use model::{Description, Engine, Platform, TaskId};
use tokio::sync::watch;

use crate::runtime::{
    Archive, Error, Exit, LogStream, LogsWanted, Onto, Order, Phase, Refusal, RefusalKind, Runtime, Seen,
    Started,
};
use crate::{NetworkState, backoff};

/// What the next calls do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub prepare_fails: Option<String>,
    pub prepare_hangs: bool,
    pub prepare_panics: bool,
    pub start_fails: Option<String>,
    pub wait_fails: Option<String>,
    /// Whether nothing is known yet of how well a container is.
    pub is_starting: bool,
    /// Why a started container is not well.
    pub unwell: Option<String>,
    pub stop_hangs: bool,
    pub stop_fails: Option<String>,
    pub remove_hangs: bool,
    pub removes_fail: u32,
    pub networks_fail: u32,
}

#[derive(Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
    news: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    script: Script,
    containers: BTreeMap<TaskId, Phase>,
    attached: BTreeSet<TaskId>,
    applied: Vec<NetworkState>,
    calls: Vec<&'static str>,
    volumes: BTreeMap<&'static str, Vec<&'static str>>,
    imported: Vec<String>,
}

impl Fake {
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.state().script);
        self.news.send_replace(());
    }

    pub fn put(&self, task: TaskId, phase: Phase) {
        self.state().containers.insert(task, phase);
        self.state().attached.insert(task);
        self.news.send_replace(());
    }

    /// Ends a container, if it runs.
    pub fn exit(&self, task: TaskId, code: i32, out_of_memory: bool) {
        if let Some(phase @ Phase::Running(_)) = self.state().containers.get_mut(&task) {
            *phase = Phase::Exited(Exit { code, out_of_memory });
        }
        self.news.send_replace(());
    }

    pub fn phase(&self, task: TaskId) -> Option<Phase> {
        self.state().containers.get(&task).copied()
    }

    pub fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }

    /// Has a volume whose archive comes in these pieces; one called `broken` is a failure.
    pub fn has_volume(&self, name: &'static str, pieces: &[&'static str]) {
        self.state().volumes.insert(name, pieces.to_vec());
    }

    /// Returns the archives that were unpacked, each after the name of its volume.
    pub fn imported(&self) -> Vec<String> {
        self.state().imported.clone()
    }

    pub fn applied(&self) -> Vec<NetworkState> {
        self.state().applied.clone()
    }

    /// Claims that nothing is left of any task.
    pub fn is_clean(&self) -> bool {
        self.state().containers.is_empty() && self.state().attached.is_empty()
    }

    /// Waits until the claim holds.
    pub async fn until(&self, claim: impl Fn(&Self) -> bool) {
        let mut news = self.news.subscribe();
        while !claim(self) {
            let _changed = tokio::time::timeout(backoff::pause(1, 0.0), news.changed()).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn call(&self, name: &'static str) {
        self.state().calls.push(name);
        self.news.send_replace(());
    }
}

fn refused(text: &Option<String>) -> Result<(), Error> {
    text.as_ref().map_or(Ok(()), |text| Err(Error::new(text)))
}

#[async_trait]
impl Runtime for Fake {
    async fn prepare(&self, order: &Order) -> Result<String, Error> {
        let task = order.task.id;
        self.call("prepare");
        assert!(!self.state().script.prepare_panics, "the script says so");
        self.until(|fake| !fake.state().script.prepare_hangs).await;
        let mut state = self.state();
        refused(&state.script.prepare_fails)?;
        assert!(state.containers.insert(task, Phase::Created).is_none(), "one container at a time per task");
        assert!(state.attached.insert(task), "attached once");
        Ok(format!("container-{task}"))
    }

    async fn start(&self, task: TaskId) -> Result<Started, Error> {
        self.call("start");
        let mut state = self.state();
        refused(&state.script.start_fails)?;
        let phase = state.containers.get_mut(&task).expect("only what was prepared is started");
        if *phase == Phase::Created {
            *phase = Phase::Running(42);
        }
        Ok(Started { pid: 42, ports: Vec::new() })
    }

    async fn until_ready(&self, _task: TaskId) -> Result<(), Error> {
        self.until(|fake| !fake.state().script.is_starting || fake.state().script.unwell.is_some()).await;
        refused(&self.state().script.unwell)
    }

    async fn wait(&self, task: TaskId) -> Result<Exit, Error> {
        self.until(|fake| {
            fake.state().script.wait_fails.is_some() || matches!(fake.phase(task), Some(Phase::Exited(_)))
        })
        .await;
        refused(&self.state().script.wait_fails)?;
        match self.phase(task) {
            Some(Phase::Exited(exit)) => Ok(exit),
            other => panic!("{other:?} has not ended"),
        }
    }

    async fn stop(&self, order: &Order) -> Result<Exit, Error> {
        let task = order.task.id;
        self.call("stop");
        self.until(|fake| !fake.state().script.stop_hangs).await;
        let mut state = self.state();
        refused(&state.script.stop_fails)?;
        let exit = match state.containers.get(&task) {
            Some(Phase::Exited(exit)) => *exit,
            Some(Phase::Created | Phase::Running(_)) => Exit { code: 143, out_of_memory: false },
            None => return Ok(Exit { code: 0, out_of_memory: false }),
        };
        state.containers.insert(task, Phase::Exited(exit));
        Ok(exit)
    }

    async fn release(&self, task: TaskId) {
        self.call("release");
        self.state().attached.remove(&task);
    }

    async fn remove(&self, task: TaskId) -> Result<(), Error> {
        self.call("remove");
        self.until(|fake| !fake.state().script.remove_hangs).await;
        let mut state = self.state();
        if state.script.removes_fail > 0 {
            state.script.removes_fail -= 1;
            return Err(Error::new("busy"));
        }
        state.containers.remove(&task);
        Ok(())
    }

    async fn seen(&self) -> Result<Vec<Seen>, Error> {
        let seen = |(task, phase): (&TaskId, &Phase)| Seen {
            task: *task,
            container_id: format!("container-{task}"),
            phase: *phase,
        };
        Ok(self.state().containers.iter().map(seen).collect())
    }

    async fn logs(&self, _task: TaskId, _wanted: LogsWanted) -> Result<LogStream, Error> {
        Err(Error::new("no logs here"))
    }

    async fn export_volume(&self, name: &str) -> Result<Archive, Refusal> {
        match self.state().volumes.get(name) {
            None => {
                Err(Refusal { kind: RefusalKind::NotFound, message: format!("get {name}: no such volume") })
            }
            Some(pieces) => {
                let pieces = pieces.iter().map(|piece| match *piece {
                    "broken" => Err(std::io::Error::other("a bad sector")),
                    piece => Ok(Bytes::from(piece)),
                });
                Ok(Box::pin(futures_util::stream::iter(pieces.collect::<Vec<_>>())))
            }
        }
    }

    async fn import_volume(&self, name: &str, onto: Onto, mut archive: Archive) -> Result<(), Refusal> {
        let mut whole = Vec::new();
        while let Some(piece) = archive.next().await {
            let failed =
                |error: std::io::Error| Refusal { kind: RefusalKind::Failed, message: error.to_string() };
            whole.extend_from_slice(&piece.map_err(failed)?);
        }
        if onto == Onto::Nothing && self.state().volumes.contains_key(name) {
            let message = format!("import {name}: the volume is not empty");
            return Err(Refusal { kind: RefusalKind::Conflict, message });
        }
        self.state().imported.push(format!("{name}: {}", String::from_utf8(whole).unwrap()));
        Ok(())
    }

    async fn apply_networks(&self, state: NetworkState) -> Result<(), Error> {
        let mut here = self.state();
        if here.script.networks_fail > 0 {
            here.script.networks_fail -= 1;
            return Err(Error::new("the kernel says no"));
        }
        here.applied.push(state);
        Ok(())
    }

    fn description(&self) -> Description {
        Description {
            hostname: "fake".into(),
            platform: Platform { architecture: "x86_64".into(), os: "linux".into() },
            nano_cpus: 1_000_000_000,
            memory_bytes: 1 << 30,
            generic: Vec::new(),
            engine: Engine::default(),
        }
    }
}

/// Returns a task's order, with the notation's words for the task, such as `1→a assigned to-ready`.
pub(crate) fn order(words: &str) -> Order {
    let view = testkit::notation::parse(&format!("web : {words}"));
    let task = view.tasks().next().expect("the words name a task").clone();
    let spec = view.spec(task.spec_id()).expect("a task has its spec").clone();
    Order { task, spec, networks: Vec::new() }
}
