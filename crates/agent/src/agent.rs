//! The agent's one loop: it listens to its manager and its runners, and keeps both told.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use identity::Tls;
use model::{NodeId, Task, TaskId, TaskState, Timestamp};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use wire::assignment::{Assignment, Item, Items, Key};
use wire::pb;

use crate::adopt::adopt;
use crate::journal::{self, Journal, Memory};
use crate::link::Link;
use crate::logs::Logs;
use crate::network_state::NetworkState;
use crate::runner::{self, Report, Runner};
use crate::runtime::{self, Order, Runtime, Seen};
use crate::session::{Event, Sessions};
use crate::volumes::Volumes;

/// How often a changed journal is written. A journal that is a moment old does no harm: what it
/// lacks, a manager tells again.
const JOURNAL_PERIOD: Duration = Duration::from_millis(200);
/// How many events of the session wait; the session stops reading when it is full.
const EVENTS_WAITING: usize = 64;

/// What the agent is told when it is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// Where the journal lies.
    pub dir: PathBuf,
    /// How many containers are made or started at a time.
    pub concurrency: usize,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// How the agent reaches managers.
#[derive(Debug, Clone)]
pub struct Connection {
    /// This node's identity.
    pub tls: Tls,
    /// The address at which other nodes reach this node's containers.
    pub address: String,
    /// Managers to try first, `host:port`; those it hears of are tried after them.
    pub managers: Vec<String>,
}

/// Why the agent cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Without knowing what runs, every task would count as lost.
    #[error("see which containers are on this host")]
    Look(#[source] runtime::Error),
}

/// The worker's side of a node.
pub struct Agent {
    config: Config,
    runtime: Arc<dyn Runtime>,
    /// Shared with the writing of the journal, which is slow beside the loop.
    memory: Arc<Memory>,
    revision: u64,
    sequence: u64,
    changed: bool,
    journal: Journal,
    writing: JoinSet<()>,
    orders: BTreeMap<TaskId, watch::Sender<Order>>,
    runners: JoinSet<Ended>,
    /// Tasks of which a container may be there: their runner, or the removal of what is left, has not ended.
    busy: BTreeSet<TaskId>,
    permits: Arc<Semaphore>,
    reports: (mpsc::UnboundedSender<Report>, mpsc::UnboundedReceiver<Report>),
    networks: watch::Sender<NetworkState>,
    applied: watch::Sender<u64>,
    managers: watch::Sender<Vec<String>>,
    preferred: Vec<String>,
    manager: Option<Link>,
    logs: Logs,
    volumes: Volumes,
    leftovers: BTreeMap<TaskId, Seen>,
}

/// How the work on a task ended.
struct Ended {
    task: TaskId,
    /// Whether it broke: a bug, after which nothing of the task is left running.
    is_broken: bool,
}

impl Agent {
    /// Reads the journal and looks at the host; containers of an earlier process are taken over.
    pub async fn open(config: Config, runtime: Arc<dyn Runtime>) -> Result<Self, OpenError> {
        let (journal, memory) = Journal::open(&config.dir)?;
        let seen = runtime.seen().await.map_err(OpenError::Look)?;
        let leftovers = seen.into_iter().map(|seen| (seen.task, seen)).collect();
        Ok(Self {
            permits: Arc::new(Semaphore::new(config.concurrency.max(1))),
            config,
            runtime,
            memory: Arc::new(memory),
            revision: 0,
            sequence: 0,
            changed: false,
            journal,
            writing: JoinSet::new(),
            orders: BTreeMap::new(),
            runners: JoinSet::new(),
            busy: BTreeSet::new(),
            reports: mpsc::unbounded_channel(),
            networks: watch::channel(NetworkState::default()).0,
            applied: watch::channel(0).0,
            managers: watch::channel(Vec::new()).0,
            preferred: Vec::new(),
            manager: None,
            logs: Logs::default(),
            volumes: Volumes::default(),
            leftovers,
        })
    }

    /// Runs until `stop` is true. Containers go on without it.
    pub async fn run(mut self, connection: Connection, mut stop: watch::Receiver<bool>) {
        let (events_in, mut events) = mpsc::channel(EVENTS_WAITING);
        self.preferred.clone_from(&connection.managers);
        self.tell_managers();
        let sessions = Sessions {
            tls: connection.tls,
            runtime: self.runtime.clone(),
            address: connection.address,
            managers: self.managers.subscribe(),
            events: events_in,
        };
        let mut helpers = JoinSet::new();
        helpers.spawn(sessions.keep());
        let mut applied = self.applied.subscribe();
        helpers.spawn(keep_networks(self.runtime.clone(), self.networks.subscribe(), self.applied.clone()));
        self.take_up();
        let mut tick = tokio::time::interval(JOURNAL_PERIOD);
        loop {
            tokio::select! {
                Some(event) = events.recv() => self.on_event(event),
                Some(report) = self.reports.1.recv() => self.on_report(report),
                Some(ended) = self.runners.join_next() => self.on_ended(ended),
                Ok(()) = applied.changed() => {}
                _ = tick.tick() => self.write_journal(),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            while let Ok(report) = self.reports.1.try_recv() {
                self.on_report(report);
            }
            if let Some(manager) = &mut self.manager {
                manager.flush(*self.applied.borrow());
            }
        }
        helpers.shutdown().await;
        self.runners.shutdown().await;
        while let Ok(report) = self.reports.1.try_recv() {
            self.on_report(report);
        }
        while self.writing.join_next().await.is_some() {}
        self.write_journal();
        while self.writing.join_next().await.is_some() {}
    }

    /// Goes on with what the journal knows, before any manager is heard.
    fn take_up(&mut self) {
        self.reconcile();
        self.tell_managers();
        if !self.memory.items.is_empty() {
            self.networks.send_replace(NetworkState::of(self.config.node, 0, &self.memory.items));
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Opened { outbox, clients, held } => {
                let known = self.memory.statuses.clone();
                self.manager = Some(Link::new(outbox, *clients, held, known));
                self.sequence = 0;
            }
            Event::Closed => self.manager = None,
            Event::Message(kind) => self.on_message(kind),
        }
    }

    fn on_message(&mut self, kind: pb::manager_message::Kind) {
        match kind {
            pb::manager_message::Kind::Welcome(_) => {}
            pb::manager_message::Kind::Assignment(assignment) => match Assignment::try_from(assignment) {
                Ok(assignment) => self.on_assignment(assignment),
                Err(error) => {
                    tracing::error!(%error, "the manager sent what this version cannot read; opening a new session");
                    self.manager = None;
                }
            },
            pb::manager_message::Kind::Stored(stored) => {
                if let Some(manager) = &mut self.manager {
                    manager.stored(stored.sequence);
                }
            }
            pb::manager_message::Kind::Logs(query) => {
                if let Some(manager) = &self.manager {
                    self.logs.answer(query, self.config.node, self.runtime.clone(), manager.client());
                }
            }
            pb::manager_message::Kind::Volume(query) => {
                if let Some(manager) = &self.manager {
                    self.volumes.carry(query, self.runtime.clone(), manager.bulk_client());
                }
            }
            pb::manager_message::Kind::LogsEnd(end) => self.logs.end(&end.id),
        }
    }

    fn on_assignment(&mut self, assignment: Assignment) {
        if assignment.sequence != 0 && assignment.sequence != self.sequence + 1 {
            tracing::warn!(
                expected = self.sequence + 1,
                got = assignment.sequence,
                "an assignment is missing; opening a new session"
            );
            self.manager = None;
            return;
        }
        self.sequence = assignment.sequence;
        self.revision = assignment.revision;
        let complete = assignment.sequence == 0;
        let concerns_networks = complete || concerns_networks(&assignment);
        assignment.apply(&mut Arc::make_mut(&mut self.memory).items);
        self.changed = true;
        self.reconcile();
        if complete {
            self.remove_leftovers();
        }
        if concerns_networks {
            self.tell_managers();
            let state = NetworkState::of(self.config.node, self.revision, &self.memory.items);
            self.networks.send_replace(state);
        }
    }

    /// Gives each assigned task a runner with its latest order, and withdraws the others.
    fn reconcile(&mut self) {
        let memory = Arc::make_mut(&mut self.memory);
        self.orders.retain(|task, _| memory.items.contains_key(&Key::Task(*task)));
        memory.statuses.retain(|task, _| memory.items.contains_key(&Key::Task(*task)));
        let memory = self.memory.clone();
        for item in memory.items.values() {
            // Tasks come before all else.
            let Item::Task(task) = item else { break };
            match (self.orders.get(&task.id), order_of(task, &memory.items)) {
                (Some(sender), Some(order)) => replace(sender, order),
                // What it is made from is not needed to stop it.
                (Some(sender), None) => {
                    let former = sender.borrow().clone();
                    replace(sender, Order { task: task.clone(), ..former });
                }
                // What is left of its former life goes first.
                (None, Some(order)) if !self.busy.contains(&task.id) => self.begin(order),
                (None, Some(_) | None) => {}
            }
        }
    }

    fn begin(&mut self, order: Order) {
        let task = order.task.id;
        let mut status = order.task.status.clone();
        if let Some(known) = self.memory.statuses.get(&task)
            && known.state >= status.state
        {
            status.clone_from(known);
        }
        let is_news = adopt(&mut status, self.leftovers.remove(&task), (self.config.clock)());
        let (sender, orders) = watch::channel(order);
        let runner = Runner {
            runtime: self.runtime.clone(),
            orders,
            status: status.clone(),
            reports: self.reports.0.clone(),
            permits: self.permits.clone(),
            clock: self.config.clock,
        };
        self.orders.insert(task, sender);
        if is_news {
            self.on_report(Report { task, status });
        }
        self.look_after(task, runner.run());
    }

    /// Removes containers that no manager knows any more.
    fn remove_leftovers(&mut self) {
        let items = &self.memory.items;
        let unknown: Vec<Seen> = self
            .leftovers
            .extract_if(.., |task, _| !items.contains_key(&Key::Task(*task)))
            .map(|(_, seen)| seen)
            .collect();
        for Seen { task, container_id, phase: _ } in unknown {
            tracing::info!(%task, container = %container_id, "removing a container that no task owns");
            let runtime = self.runtime.clone();
            self.look_after(task, async move { runner::clear(&*runtime, task).await });
        }
    }

    /// Runs the work on a task. If it breaks, nothing of the task may go on unseen.
    fn look_after(&mut self, task: TaskId, work: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.runtime.clone();
        self.busy.insert(task);
        self.runners.spawn(async move {
            let is_broken = AssertUnwindSafe(work).catch_unwind().await.is_err();
            if is_broken {
                tracing::error!(%task, "the work on a task panicked; removing its container");
                let _broken_again = AssertUnwindSafe(runner::clear(&*runtime, task)).catch_unwind().await;
            }
            Ended { task, is_broken }
        });
    }

    fn on_report(&mut self, report: Report) {
        if !self.memory.items.contains_key(&Key::Task(report.task)) {
            return;
        }
        Arc::make_mut(&mut self.memory).statuses.insert(report.task, report.status.clone());
        self.changed = true;
        if let Some(manager) = &mut self.manager {
            manager.report(report.task, report.status);
        }
    }

    fn on_ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ended { task, is_broken } = match ended {
            Ok(ended) => ended,
            // Panics are caught inside, and nobody aborts the work before the loop has ended.
            Err(error) => return tracing::error!(%error, "the work on a task was cut off"),
        };
        self.busy.remove(&task);
        if is_broken {
            self.report_broken(task);
        }
        if !self.orders.contains_key(&task) && self.memory.items.contains_key(&Key::Task(task)) {
            self.reconcile();
        }
    }

    fn report_broken(&mut self, task: TaskId) {
        let Some(Item::Task(assigned)) = self.memory.items.get(&Key::Task(task)) else { return };
        let mut status = self.memory.statuses.get(&task).unwrap_or(&assigned.status).clone();
        if !status.state.is_terminal() {
            status.state = TaskState::Failed;
            status.at = (self.config.clock)();
            "the agent broke while it looked after this task: see the daemon's log"
                .clone_into(&mut status.err);
            self.on_report(Report { task, status });
        }
    }

    fn tell_managers(&self) {
        let mut managers = self.preferred.clone();
        for item in self.memory.items.values() {
            if let Item::Node(node) = item
                && let Some(address) = &node.manager_address
                && !managers.contains(address)
            {
                managers.push(address.clone());
            }
        }
        self.managers.send_if_modified(|former| {
            let differs = *former != managers;
            *former = managers;
            differs
        });
    }

    /// Begins to write what changed, unless the former state is still being written.
    fn write_journal(&mut self) {
        while self.writing.try_join_next().is_some() {}
        if !self.changed || !self.writing.is_empty() {
            return;
        }
        self.changed = false;
        let (journal, memory) = (self.journal.clone(), self.memory.clone());
        self.writing.spawn_blocking(move || {
            if let Err(error) = journal.write(&memory) {
                tracing::error!(%error, "the journal is not written; a restart without a manager would forget the latest tasks");
            }
        });
    }
}

/// Claims that an assignment changes more than tasks and what they are made from.
fn concerns_networks(assignment: &Assignment) -> bool {
    let keys = assignment.put.iter().map(Item::key).chain(assignment.removed.iter().copied());
    keys.into_iter().any(|key| match key {
        Key::Task(_) | Key::Spec(_) => false,
        Key::Network(_) | Key::Endpoint(..) | Key::Node(_) | Key::Port(..) | Key::Service(..) => true,
    })
}

fn replace(sender: &watch::Sender<Order>, order: Order) {
    sender.send_if_modified(|former| {
        let differs = *former != order;
        *former = order;
        differs
    });
}

/// Returns the order for a task, once its spec and networks are known.
fn order_of(task: &Arc<Task>, items: &Items) -> Option<Order> {
    let Some(Item::Spec(spec)) = items.get(&Key::Spec(task.spec_id())) else { return None };
    let networks = task
        .addresses
        .iter()
        .map(|address| match items.get(&Key::Network(address.network)) {
            Some(Item::Network(network)) => Some(network.clone()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Order { task: task.clone(), spec: spec.clone(), networks })
}

/// Puts the latest networks into force, one state after the other; what fails is tried again.
async fn keep_networks(
    runtime: Arc<dyn Runtime>,
    mut states: watch::Receiver<NetworkState>,
    applied: watch::Sender<u64>,
) {
    const RETRY: Duration = Duration::from_secs(1);
    let mut failed = false;
    loop {
        if failed {
            // A newer state ends the pause as well; both lead to the same next try.
            if let Ok(Err(_)) = tokio::time::timeout(RETRY, states.changed()).await {
                return;
            }
        } else if states.changed().await.is_err() {
            return;
        }
        let state = states.borrow_and_update().clone();
        let revision = state.revision;
        failed = match runtime.apply_networks(state).await {
            Ok(()) => {
                applied.send_replace(revision);
                false
            }
            Err(error) => {
                tracing::warn!(%error, "networks are not in force; trying again");
                true
            }
        };
    }
}

#[cfg(test)]
mod tests;
