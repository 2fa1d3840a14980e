//! One worker thread: accepts connections on its listeners and serves them, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

use crate::listen::Listener;
use crate::port::{Key, Port, Visit};
use crate::reach::Patience;
use crate::{AppProtocol, datagram, stream};

/// Is what a worker is told.
pub(crate) enum Command {
    /// Accept a port's clients.
    Listen(Arc<Port>, Listener),
    /// Close a port's listener and say so.
    Close(Key, Sender<()>),
    /// Close all listeners, wait for open connections at most this long, and end.
    Finish(Duration, oneshot::Sender<()>),
}

/// Says how a worker treats clients and backends.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) patience: Patience,
    pub(crate) flows: datagram::Bounds,
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
            let runtime =
                prepare().and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
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
        while let Some(command) = inbox.recv().await {
            match command {
                Command::Listen(port, listener) => self.listen(port, listener),
                Command::Close(key, done) => {
                    self.close(key).await;
                    let _ = done.send(());
                }
                Command::Finish(grace, done) => {
                    for key in self.listeners.keys().copied().collect::<Vec<_>>() {
                        self.close(key).await;
                    }
                    // Connections that are left end with the runtime.
                    let _ = tokio::time::timeout(grace, self.open.closed()).await;
                    let _ = done.send(());
                    return;
                }
            }
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
        match listener.accept().await {
            Ok((client, _)) => {
                let (visit, open, manners) = (port.visit(), open.clone(), manners.clone());
                tokio::spawn(async move {
                    serve(client, visit, &manners).await;
                    drop(open);
                });
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

async fn serve(client: TcpStream, visit: Visit, manners: &Manners) {
    let carries = visit.port().plan().carries;
    match carries {
        AppProtocol::Bytes | AppProtocol::Announced(_) | AppProtocol::Http => {
            stream::serve(client, visit, carries, &manners.patience).await;
        }
    }
}

/// Serves a UDP port until it is closed.
async fn carry(socket: std::net::UdpSocket, port: Arc<Port>, bounds: datagram::Bounds) {
    let number = port.key.0;
    if let Err(error) = datagram::serve(socket, port, bounds).await {
        tracing::error!(port = number, %error, "published port carries no datagrams on one worker");
    }
}
