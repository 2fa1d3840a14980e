//! One worker thread: accepts connections on its listeners and serves them, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

use crate::listen::Listener;
use crate::port::{Key, Port, Visit};
use crate::reach::Patience;
use crate::{AppProtocol, clock, datagram, http, stream};

/// How often connections that wait for requests are looked through.
const TRIM: Duration = Duration::from_secs(1);
/// How long a worker that closes waits for a client's next request, to tell it to go elsewhere.
const FAREWELL: Duration = Duration::from_secs(1);

/// Is what a worker is told.
pub(crate) enum Command {
    /// Accept a port's clients.
    Listen(Arc<Port>, Listener),
    /// Close a port's listener and say so.
    Close(Key, Sender<()>),
    /// Close connections that wait for requests to backends that were withdrawn.
    Trim,
    /// Close all listeners, wait for open connections at most this long, and end.
    Finish(Duration, oneshot::Sender<()>),
}

/// Says how a worker treats clients and backends, and knows what it is doing.
#[derive(Debug)]
pub(crate) struct Manners {
    pub(crate) patience: Patience,
    pub(crate) limits: http::Limits,
    pub(crate) flows: datagram::Bounds,
    /// Connections, or requests on ports that carry HTTP, that are being served.
    busy: AtomicUsize,
    is_closing: AtomicBool,
    /// Told when that becomes true.
    closing: Notify,
    /// Told when nothing is being served while the worker closes.
    is_idle: Notify,
    /// Bounds the open connections.
    room: Semaphore,
}

/// Counts as being served while it lives.
pub(crate) struct Busy(Arc<Manners>);

/// Is room for one connection, which is free again when this is dropped.
struct Room(Arc<Manners>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.room.add_permits(1);
    }
}

impl Manners {
    pub(crate) fn new(
        patience: Patience,
        limits: http::Limits,
        flows: datagram::Bounds,
        connections_max: usize,
    ) -> Manners {
        Manners {
            patience,
            limits,
            flows,
            busy: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            closing: Notify::new(),
            is_idle: Notify::new(),
            room: Semaphore::new(connections_max),
        }
    }

    /// Tells whether the worker is about to end, so that clients should go elsewhere with their next request.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Waits until the worker is about to end.
    pub(crate) async fn closing(&self) {
        // All of this happens on the worker's thread, so that nothing comes between the look and the wait.
        if !self.is_closing() {
            self.closing.notified().await;
        }
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.closing.notify_waiters();
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Waits until nothing is being served.
    async fn idle(&self) {
        // All of this happens on the worker's thread, so that no end is missed between the look and the wait.
        while self.busy.load(Ordering::Relaxed) > 0 {
            self.is_idle.notified().await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::Relaxed) == 1 && self.0.is_closing() {
            self.0.is_idle.notify_waiters();
        }
    }
}

/// Is the handle of a worker thread.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Unbounded, as commands come from the one who applies tables, a few per change, and are read at once.
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) thread: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker; returns once `prepare` has run on its thread.
    pub(crate) fn start(
        name: String,
        prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
        manners: Manners,
    ) -> io::Result<Worker> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (report, prepared) = std::sync::mpsc::channel();
        let run = move || {
            // Without what looks after processes and signals in every turn.
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = prepare().and_then(|()| builder.enable_io().enable_time().build());
            match runtime {
                Ok(runtime) => {
                    let _ = report.send(Ok(()));
                    runtime.block_on(Loop::new(manners).run(inbox));
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(run)?;
        prepared.recv().unwrap_or_else(|_| Err(io::Error::other("the worker thread ended early")))?;
        Ok(Worker { commands, thread })
    }
}

struct Loop {
    manners: Arc<Manners>,
    listeners: BTreeMap<Key, Task<()>>,
    /// Every connection holds a receiver, so that the sender knows when the last one ended.
    open: watch::Sender<()>,
}

impl Loop {
    fn new(manners: Manners) -> Loop {
        Loop { manners: Arc::new(manners), listeners: BTreeMap::new(), open: watch::Sender::new(()) }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut trim = tokio::time::interval(TRIM);
        // It ends with the runtime.
        tokio::spawn(async {
            let mut tick = tokio::time::interval(clock::TICK);
            loop {
                tick.tick().await;
                clock::tick();
            }
        });
        loop {
            let command = tokio::select! {
                command = inbox.recv() => command,
                _ = trim.tick() => Some(Command::Trim),
            };
            let Some(command) = command else { return };
            match command {
                Command::Listen(port, listener) => self.listen(port, listener),
                Command::Close(key, done) => {
                    self.close(key).await;
                    let _ = done.send(());
                }
                Command::Trim => http::trim_backends(),
                Command::Finish(grace, done) => {
                    self.manners.close();
                    for key in self.listeners.keys().copied().collect::<Vec<_>>() {
                        self.close(key).await;
                    }
                    // Connections that are left end with the runtime.
                    let _ = tokio::time::timeout(grace, self.closed()).await;
                    http::close_backends();
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    /// Waits until no connection is open, or those that are have had their time to ask for something and did not.
    async fn closed(&self) {
        let unused = async {
            tokio::time::sleep(FAREWELL).await;
            self.manners.idle().await;
        };
        tokio::select! {
            () = self.open.closed() => {}
            () = unused => {}
        }
    }

    fn listen(&mut self, port: Arc<Port>, listener: Listener) {
        let key = port.key;
        let serving = match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(|listener| {
                tokio::spawn(accept(listener, port, self.manners.clone(), self.open.subscribe()))
            }),
            Listener::Udp(socket) => Ok(tokio::spawn(carry(socket, port, self.manners.flows))),
        };
        match serving {
            Ok(serving) => {
                self.listeners.insert(key, serving);
            }
            Err(error) => {
                tracing::error!(port = key.0, %error, "published port has no listener on one worker")
            }
        }
    }

    async fn close(&mut self, key: Key) {
        if let Some(task) = self.listeners.remove(&key) {
            task.abort();
            // Waited for, as the listener is closed only then.
            let _ = task.await;
        }
    }
}

async fn accept(listener: TcpListener, port: Arc<Port>, manners: Arc<Manners>, open: watch::Receiver<()>) {
    /// Out of descriptors or memory: a connection may end meanwhile; trying at once would only spin.
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        // Clients that find no room wait in the kernel's queue.
        let Ok(room) = manners.room.acquire().await else { return };
        match listener.accept().await {
            Ok((client, address)) => {
                room.forget();
                let held = (Room(manners.clone()), open.clone());
                begin(client, address, port.visit(), held);
            }
            // The client gave up before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(port = port.key.0, %error, "cannot accept connections for a moment");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves a client in a task of its own, which is as large as what the port carries needs.
fn begin(client: TcpStream, address: SocketAddr, visit: Visit, held: (Room, watch::Receiver<()>)) {
    let carries = visit.port().plan().carries;
    match carries {
        AppProtocol::Bytes | AppProtocol::Announced(_) => tokio::spawn(async move {
            let (Room(manners), _) = &held;
            let _busy = manners.begin();
            stream::serve(client, visit, carries, &manners.patience).await;
        }),
        AppProtocol::Http => {
            let mut session = http::Session::new(client, address, &held.0.0);
            tokio::spawn(async move {
                let (Room(manners), _) = &held;
                session.serve(visit.port(), manners).await;
            })
        }
    };
}

/// Serves a UDP port until it is closed.
async fn carry(socket: std::net::UdpSocket, port: Arc<Port>, bounds: datagram::Bounds) {
    let number = port.key.0;
    if let Err(error) = datagram::serve(socket, port, bounds).await {
        tracing::error!(port = number, %error, "published port carries no datagrams on one worker");
    }
}
