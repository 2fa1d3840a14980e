//! The proxy's handle: its threads, and what they are told.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

use crate::apply::Ports;
use crate::crew::Crew;
use crate::datagram;
use crate::http;
use crate::manners::Manners;
use crate::reach::Patience;
use crate::worker::{Command, Worker};
use crate::{Kept, PortCounters, PortProblem, Table};

/// How often a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// More threads than this gain nothing a single node's network card could carry.
const THREADS_MAX: usize = 8;

/// Is run on each worker thread before its first connection.
pub type ThreadStart = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// Says how the proxy works.
#[derive(Clone)]
pub struct Config {
    /// Worker threads, each with listeners of its own.
    pub threads: usize,
    /// Moves a worker thread to where backends can be reached.
    pub on_thread_start: ThreadStart,
    /// How long a backend may take to accept a connection before another is asked as well.
    pub connect_timeout: Duration,
    /// How much longer it may then take while no other accepts: time for the kernel to ask it again.
    pub connect_timeout_last: Duration,
    /// How many backends are tried for one client: more than one dead node usually has.
    pub attempts_max: usize,
    /// How long a backend that failed is avoided while others are there.
    pub avoid_failed: Duration,
    /// How much of what a client sent is remembered until its backend answers, to give it to another if need be;
    /// only requests that are safe to repeat are.
    pub repeat_bytes_max: usize,
    /// How many flows of datagrams there are at most on a port; the longest silent go for new ones.
    pub flows_max: usize,
    /// How long a flow is kept without a datagram.
    pub flow_idle: Duration,
    /// How many connections may be open; further clients wait until one ends. Fewer if the limit of open files is less
    /// than two for each.
    pub connections_max: usize,
    /// How long a client that speaks HTTP may keep its connection without a request.
    pub idle_timeout: Duration,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// How long a request of HTTP may go on without a byte in either direction.
    pub stall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Config {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
        Config {
            threads,
            on_thread_start: Arc::new(|| Ok(())),
            // Several times what a healthy network takes, and short enough that a client hardly notices a dead node.
            connect_timeout: Duration::from_millis(200),
            connect_timeout_last: Duration::from_secs(4),
            attempts_max: 5,
            avoid_failed: Duration::from_secs(2),
            repeat_bytes_max: 16 * 1024,
            // Each holds a socket.
            flows_max: 16 * 1024,
            // What the kernel's own translation of addresses grants to unanswered and answered flows is 30 and 120.
            flow_idle: Duration::from_secs(60),
            // With a backend's connection to each, twice as many descriptors.
            connections_max: 32 * 1024,
            idle_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(15),
            // Longer than the pulse of any common stream of events.
            stall_timeout: Duration::from_secs(300),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config {
            threads,
            on_thread_start: _,
            connect_timeout,
            connect_timeout_last,
            attempts_max,
            avoid_failed,
            repeat_bytes_max,
            flows_max,
            flow_idle,
            connections_max,
            idle_timeout,
            head_timeout,
            stall_timeout,
        } = self;
        f.debug_struct("Config")
            .field("threads", threads)
            .field("connect_timeout", connect_timeout)
            .field("connect_timeout_last", connect_timeout_last)
            .field("attempts_max", attempts_max)
            .field("avoid_failed", avoid_failed)
            .field("repeat_bytes_max", repeat_bytes_max)
            .field("flows_max", flows_max)
            .field("flow_idle", flow_idle)
            .field("connections_max", connections_max)
            .field("idle_timeout", idle_timeout)
            .field("head_timeout", head_timeout)
            .field("stall_timeout", stall_timeout)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Returns what each worker needs to know.
    fn manners(&self) -> Manners {
        let patience = Patience {
            connect: self.connect_timeout,
            connect_last: self.connect_timeout_last,
            attempts_max: self.attempts_max,
            avoid_failed: self.avoid_failed,
            repeat_bytes_max: self.repeat_bytes_max,
        };
        let flows = datagram::Bounds {
            flows_max: self.flows_max.div_ceil(self.threads.max(1)),
            idle: self.flow_idle,
            avoid_failed: self.avoid_failed,
        };
        let limits =
            http::Limits { idle: self.idle_timeout, head: self.head_timeout, stall: self.stall_timeout };
        Manners::new(patience, limits, flows)
    }
}

/// Says why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A worker thread could not be started or prepared.
    #[error("start ingress worker {worker}")]
    Worker {
        /// Its number.
        worker: usize,
        /// The cause.
        source: io::Error,
    },
    /// The thread that opens ports again could not be started.
    #[error("start the ingress retry thread")]
    Retry(#[source] io::Error),
}

/// Is the running proxy; dropped without [`Ingress::shutdown`], it ends at once with all its connections.
#[derive(Debug)]
pub struct Ingress {
    ports: Arc<Ports>,
    workers: Vec<Worker>,
    /// Wakes the thread that opens ports again; closed, it ends that thread.
    retry: Option<mpsc::Sender<()>>,
    retrying: Option<JoinHandle<()>>,
}

impl Ingress {
    /// Starts the worker threads; no port is open yet.
    ///
    /// Ports open in the network namespace of the thread that calls this, or [`Ingress::apply`].
    pub fn start(config: Config) -> Result<Ingress, Error> {
        Ingress::resume(config, Vec::new())
    }

    /// Starts the worker threads with sockets that outlived a former process: those of ports in the first table are
    /// listened with at once, and the others closed.
    pub fn resume(config: Config, inherited: Vec<Kept>) -> Result<Ingress, Error> {
        let channels: Vec<_> = (0..config.threads.max(1)).map(|_| unbounded_channel()).collect();
        let crew = channels.iter().map(|(commands, _)| commands.clone()).collect();
        let crew = Arc::new(Crew::new(crew, connections_max(config.connections_max)));
        let start = |(worker, channel)| {
            let prepare = config.on_thread_start.clone();
            Worker::start(worker, crew.clone(), channel, move || prepare(), config.manners())
                .map_err(|source| Error::Worker { worker, source })
        };
        let mut workers = Vec::new();
        for channel in channels.into_iter().enumerate() {
            match start(channel) {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    end(workers);
                    return Err(error);
                }
            }
        }
        let ports =
            Arc::new(Ports::new(workers.iter().map(|worker| worker.commands.clone()).collect(), inherited));
        let (retry, wakes) = mpsc::channel();
        let retried = ports.clone();
        let run = move || retry_ports(&retried, &wakes);
        let retrying =
            std::thread::Builder::new().name("ingress-retry".into()).spawn(run).map_err(Error::Retry)?;
        Ok(Ingress { ports, workers, retry: Some(retry), retrying: Some(retrying) })
    }

    /// Opens and closes ports and changes their backends; established connections go on.
    ///
    /// Returns the ports that could not be opened. They are tried again every second and with the next table. A port
    /// that was closed is free when this returns, which may take until the workers noticed.
    pub fn apply(&self, table: Table) -> Vec<PortProblem> {
        let problems = self.ports.apply(table);
        if let Some(retry) = self.retry.as_ref().filter(|_| !problems.is_empty()) {
            let _ = retry.send(());
        }
        problems
    }

    /// Returns the ports of the last table that are not open at this moment.
    pub fn problems(&self) -> Vec<PortProblem> {
        self.ports.problems()
    }

    /// Returns what went through, by port.
    pub fn counters(&self) -> Vec<PortCounters> {
        self.ports.counters()
    }

    /// Returns descriptors of all sockets that are listened with, for somebody who holds them while this process is
    /// replaced by another, which gets them by [`Ingress::resume`]. Who holds them keeps their ports from being free.
    pub fn kept(&self) -> io::Result<Vec<Kept>> {
        self.ports.kept()
    }

    /// Returns how many connections, requests (on ports that carry HTTP) and flows a task is serving through this
    /// proxy, whether it is still in the table or not.
    pub fn in_flight(&self, task: &str) -> usize {
        self.ports.roster.in_flight(task)
    }

    /// Waits until nothing is in flight to a task that no table names any more, but at most for `deadline`; returns
    /// how much is left.
    ///
    /// The future holds nothing of the proxy, so that it may be waited for beside other tables.
    pub fn drained(&self, task: &str, deadline: Duration) -> impl Future<Output = usize> + Send + 'static {
        let (roster, task) = (self.ports.roster.clone(), task.to_owned());
        async move { roster.drained(&task, deadline).await }
    }

    /// Closes all ports at once, lets open connections go on for at most `grace`, and ends.
    pub async fn shutdown(mut self, grace: Duration) {
        self.end_retrying();
        self.ports.let_go();
        let mut finished = Vec::new();
        for worker in &self.workers {
            let (done, receiver) = oneshot::channel();
            if worker.commands.send(Command::Finish(grace, done)).is_ok() {
                finished.push(receiver);
            }
        }
        for receiver in finished {
            // A worker that ended early has no connections left.
            let _ = receiver.await;
        }
    }

    fn end_retrying(&mut self) {
        self.retry = None;
        if let Some(retrying) = self.retrying.take() {
            // It holds no lock while it waits and ends at once.
            let _ = retrying.join();
        }
    }
}

impl Drop for Ingress {
    fn drop(&mut self) {
        self.end_retrying();
        end(std::mem::take(&mut self.workers));
    }
}

/// Returns how many connections the limit of open files allows, at most `wanted`.
fn connections_max(wanted: usize) -> usize {
    let Ok((files, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    // An eighth is for all else that the process has open; a connection needs one for each side.
    let allowed = usize::try_from(files - files / 8).unwrap_or(usize::MAX) / 2;
    if allowed < wanted {
        tracing::warn!(
            files,
            wanted,
            allowed,
            "the limit of open files allows fewer connections than wanted"
        );
    }
    wanted.min(allowed)
}

/// Ends workers at once.
fn end(workers: Vec<Worker>) {
    for worker in workers {
        let (done, _) = oneshot::channel();
        let _ = worker.commands.send(Command::Finish(Duration::ZERO, done));
        let _ = worker.thread.join();
    }
}

/// Opens waiting ports again whenever woken, then every second until none waits.
fn retry_ports(ports: &Ports, wakes: &mpsc::Receiver<()>) {
    while wakes.recv().is_ok() {
        loop {
            match wakes.recv_timeout(RETRY) {
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(()) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if !ports.retry() {
                        break;
                    }
                }
            }
        }
    }
}
