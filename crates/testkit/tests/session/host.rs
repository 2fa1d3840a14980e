//! A host whose containers run until they are stopped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use agent::{
    Archive, Exit, LogLine, LogStream, LogsWanted, NetworkState, Onto, Order, Phase, Refusal, RefusalKind,
    Runtime, RuntimeError, Seen, Started,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use model::{Description, Engine, Platform, TaskId, Timestamp};

#[derive(Default)]
pub struct Host {
    containers: Mutex<BTreeMap<TaskId, Phase>>,
    changed: tokio::sync::Notify,
    pub made: std::sync::atomic::AtomicUsize,
}

impl Host {
    pub fn containers(&self) -> MutexGuard<'_, BTreeMap<TaskId, Phase>> {
        self.containers.lock().unwrap()
    }

    pub fn runs(&self, task: TaskId) -> bool {
        matches!(self.containers().get(&task), Some(Phase::Running(_)))
    }
}

#[async_trait]
impl Runtime for Host {
    async fn prepare(&self, order: &Order) -> Result<String, RuntimeError> {
        self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.containers().insert(order.task.id, Phase::Created);
        Ok(format!("container-{}", order.task.id))
    }

    async fn start(&self, task: TaskId) -> Result<Started, RuntimeError> {
        self.containers().insert(task, Phase::Running(42));
        Ok(Started { pid: 42, ports: Vec::new() })
    }

    async fn until_ready(&self, _task: TaskId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn wait(&self, task: TaskId) -> Result<Exit, RuntimeError> {
        loop {
            let changed = self.changed.notified();
            if let Some(Phase::Exited(exit)) = self.containers().get(&task) {
                return Ok(*exit);
            }
            changed.await;
        }
    }

    async fn stop(&self, order: &Order) -> Result<Exit, RuntimeError> {
        let exit = Exit { code: 143, out_of_memory: false };
        self.containers().insert(order.task.id, Phase::Exited(exit));
        self.changed.notify_waiters();
        Ok(exit)
    }

    async fn release(&self, _task: TaskId) {}

    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.containers().remove(&task);
        Ok(())
    }

    async fn seen(&self) -> Result<Vec<Seen>, RuntimeError> {
        let seen = |(task, phase): (&TaskId, &Phase)| Seen {
            task: *task,
            container_id: format!("container-{task}"),
            phase: *phase,
        };
        Ok(self.containers().iter().map(seen).collect())
    }

    /// Two lines, and with `follow` nothing more for ever.
    async fn logs(&self, task: TaskId, wanted: LogsWanted) -> Result<LogStream, RuntimeError> {
        if !self.containers().contains_key(&task) {
            return Err(RuntimeError::new("no such container"));
        }
        let line = |text: &'static str| LogLine { stream: 1, at: Timestamp(3), line: text.into() };
        let lines = stream::iter([Ok(line("one\n")), Ok(line("two\n"))]);
        if wanted.follow { Ok(lines.chain(stream::pending()).boxed()) } else { Ok(lines.boxed()) }
    }

    async fn export_volume(&self, name: &str) -> Result<Archive, Refusal> {
        Err(no_volume(name))
    }

    async fn import_volume(&self, name: &str, _onto: Onto, _archive: Archive) -> Result<(), Refusal> {
        Err(no_volume(name))
    }

    async fn apply_networks(&self, _state: NetworkState) -> Result<(), RuntimeError> {
        Ok(())
    }

    fn description(&self) -> Description {
        Description {
            hostname: "host".into(),
            platform: Platform { architecture: "x86_64".into(), os: "linux".into() },
            nano_cpus: 1_000_000_000,
            memory_bytes: 1 << 30,
            generic: Vec::new(),
            engine: Engine::default(),
        }
    }
}

fn no_volume(name: &str) -> Refusal {
    Refusal { kind: RefusalKind::NotFound, message: format!("get {name}: no such volume") }
}
