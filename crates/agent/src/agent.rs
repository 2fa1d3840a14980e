//! The agent's one loop: it listens to its manager and its runners, and keeps both told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use identity::Tls;
use model::{NodeId, Task, TaskId, TaskState, TaskStatus, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use wire::assignment::{Assignment, Item, Items, Key};
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;

use crate::journal::{self, Journal, Memory};
use crate::logs::Logs;
use crate::network_state::NetworkState;
use crate::runner::{Report, Runner};
use crate::runtime::{Order, Phase, Runtime, Seen};
use crate::session::{self, Event, Sessions};

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

/// The worker's side of a node.
pub struct Agent {
    config: Config,
    runtime: Arc<dyn Runtime>,
    memory: Memory,
    revision: u64,
    sequence: u64,
    changed: bool,
    journal: Journal,
    orders: BTreeMap<TaskId, watch::Sender<Order>>,
    runners: JoinSet<TaskId>,
    permits: Arc<Semaphore>,
    reports: (mpsc::UnboundedSender<Report>, mpsc::UnboundedReceiver<Report>),
    networks: watch::Sender<NetworkState>,
    managers: watch::Sender<Vec<String>>,
    preferred: Vec<String>,
    manager: Option<Manager>,
    logs: Logs,
    leftovers: BTreeMap<TaskId, Seen>,
}

/// An open session.
struct Manager {
    outbox: mpsc::Sender<pb::AgentMessage>,
    client: DispatcherClient<Channel>,
    /// Statuses the manager has not confirmed; a new session gets all of them.
    unsent: BTreeMap<TaskId, TaskStatus>,
    in_flight: Option<u64>,
    next_report: u64,
    _held: oneshot::Sender<()>,
}

impl Agent {
    /// Reads the journal and looks at the host; containers of an earlier process are taken over.
    pub async fn open(config: Config, runtime: Arc<dyn Runtime>) -> Result<Self, journal::Error> {
        let (journal, memory) = Journal::open(&config.dir)?;
        let leftovers = match runtime.seen().await {
            Ok(seen) => seen.into_iter().map(|seen| (seen.task, seen)).collect(),
            Err(error) => {
                tracing::error!(%error, "cannot see which containers are on this host");
                BTreeMap::new()
            }
        };
        Ok(Self {
            permits: Arc::new(Semaphore::new(config.concurrency.max(1))),
            config,
            runtime,
            memory,
            revision: 0,
            sequence: 0,
            changed: false,
            journal,
            orders: BTreeMap::new(),
            runners: JoinSet::new(),
            reports: mpsc::unbounded_channel(),
            networks: watch::channel(NetworkState::default()).0,
            managers: watch::channel(Vec::new()).0,
            preferred: Vec::new(),
            manager: None,
            logs: Logs::default(),
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
        helpers.spawn(keep_networks(self.runtime.clone(), self.networks.subscribe()));
        self.take_up();
        let mut tick = tokio::time::interval(JOURNAL_PERIOD);
        loop {
            tokio::select! {
                Some(event) = events.recv() => self.on_event(event),
                Some(report) = self.reports.1.recv() => self.on_report(report),
                Some(ended) = self.runners.join_next() => self.on_runner_ended(ended),
                _ = tick.tick() => self.write_journal(),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            while let Ok(report) = self.reports.1.try_recv() {
                self.on_report(report);
            }
            self.flush();
        }
        self.write_journal();
        self.runners.abort_all();
        helpers.shutdown().await;
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
            Event::Opened { outbox, client, held } => {
                let unsent = self.memory.statuses.clone();
                self.manager =
                    Some(Manager { outbox, client, unsent, in_flight: None, next_report: 1, _held: held });
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
                if let Some(manager) = &mut self.manager
                    && manager.in_flight == Some(stored.sequence)
                {
                    manager.in_flight = None;
                }
            }
            pb::manager_message::Kind::Logs(query) => {
                if let Some(manager) = &self.manager {
                    self.logs.answer(query, self.config.node, self.runtime.clone(), manager.client.clone());
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
        assignment.apply(&mut self.memory.items);
        self.changed = true;
        self.reconcile();
        if complete {
            self.remove_leftovers();
        }
        self.tell_managers();
        self.networks.send_replace(NetworkState::of(self.config.node, self.revision, &self.memory.items));
        self.send(pb::agent_message::Kind::Applied(pb::Applied { revision: self.revision }));
    }

    /// Gives each assigned task a runner with its latest order, and withdraws the others.
    fn reconcile(&mut self) {
        let items = &self.memory.items;
        self.orders.retain(|task, _| items.contains_key(&Key::Task(*task)));
        self.memory.statuses.retain(|task, _| items.contains_key(&Key::Task(*task)));
        let orders: Vec<Order> = items
            .values()
            .filter_map(|item| if let Item::Task(task) = item { order_of(task, items) } else { None })
            .collect();
        for order in orders {
            if let Some(sender) = self.orders.get(&order.task.id) {
                sender.send_if_modified(|former| {
                    let differs = *former != order;
                    *former = order;
                    differs
                });
            } else {
                self.begin(order);
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
        let lost = self.adopt(task, &mut status);
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
        if lost {
            self.on_report(Report { task, status });
        }
        self.runners.spawn(async move {
            runner.run().await;
            task
        });
    }

    /// Brings a status in line with the container found on this host. Returns whether the task is
    /// lost: it had a container, and there is none.
    fn adopt(&mut self, task: TaskId, status: &mut TaskStatus) -> bool {
        let had_container = status.state >= TaskState::Ready && !status.state.is_terminal();
        let Some(seen) = self.leftovers.remove(&task) else {
            if had_container {
                status.state = TaskState::Failed;
                status.at = (self.config.clock)();
                status.err = "the container is gone: its host was restarted".into();
            } else if !status.state.is_terminal() {
                status.state = TaskState::Assigned;
            }
            return had_container;
        };
        let (state, pid) = match seen.phase {
            Phase::Created => (TaskState::Ready, 0),
            Phase::Running(pid) => (TaskState::Running, pid),
            Phase::Exited(_) => (TaskState::Running, 0),
        };
        status.state.advance_to(state);
        status.container =
            Some(Box::new(model::ContainerStatus { container_id: seen.container_id, pid, exit_code: 0 }));
        false
    }

    /// Removes containers that no manager knows any more.
    fn remove_leftovers(&mut self) {
        for (task, seen) in std::mem::take(&mut self.leftovers) {
            tracing::info!(%task, container = %seen.container_id, "removing a container that no task owns");
            let runtime = self.runtime.clone();
            self.runners.spawn(async move {
                runtime.release(task).await;
                if let Err(error) = runtime.remove(task).await {
                    tracing::warn!(%task, %error, "cannot remove a container that no task owns");
                }
                task
            });
        }
    }

    fn on_report(&mut self, report: Report) {
        if !self.memory.items.contains_key(&Key::Task(report.task)) {
            return;
        }
        self.memory.statuses.insert(report.task, report.status.clone());
        self.changed = true;
        if let Some(manager) = &mut self.manager {
            manager.unsent.insert(report.task, report.status);
        }
    }

    fn on_runner_ended(&mut self, ended: Result<TaskId, tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(%error, "a runner panicked; its task is not looked after until the agent restarts");
        }
    }

    /// Sends what has gathered, one batch at a time: while one is on its way, the next gathers.
    fn flush(&mut self) {
        let Some(manager) = &mut self.manager else { return };
        if manager.in_flight.is_some() || manager.unsent.is_empty() {
            return;
        }
        let sequence = manager.next_report;
        let reports = manager
            .unsent
            .iter()
            .map(|(task, status)| pb::StatusReport {
                task: Some((*task).into()),
                status: Some(status.into()),
            })
            .collect();
        let batch =
            session::message(pb::agent_message::Kind::Statuses(pb::StatusReports { sequence, reports }));
        if manager.outbox.try_send(batch).is_ok() {
            manager.unsent.clear();
            manager.in_flight = Some(sequence);
            manager.next_report += 1;
        }
    }

    fn send(&mut self, kind: pb::agent_message::Kind) {
        if let Some(manager) = &self.manager
            && manager.outbox.try_send(session::message(kind)).is_err()
        {
            tracing::debug!("the session takes no more messages");
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

    fn write_journal(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        if let Err(error) = self.journal.write(&self.memory) {
            tracing::error!(%error, "the journal is not written; a restart without a manager would forget the latest tasks");
        }
    }
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
async fn keep_networks(runtime: Arc<dyn Runtime>, mut states: watch::Receiver<NetworkState>) {
    const RETRY: Duration = Duration::from_secs(1);
    let mut failed = false;
    loop {
        if failed {
            // A newer state ends the pause as well; both lead to the same next try.
            let _either = tokio::time::timeout(RETRY, states.changed()).await;
        } else if states.changed().await.is_err() {
            return;
        }
        let state = states.borrow_and_update().clone();
        failed = match runtime.apply_networks(state).await {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(%error, "networks are not in force; trying again");
                true
            }
        };
    }
}
