//! One worker thread: accepts connections on its listeners and serves them, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

use crate::connection::{Patience, serve};
use crate::port::Port;

/// Is what a worker is told.
pub(crate) enum Command {
    /// Accept connections of a port.
    Listen(Arc<Port>, std::net::TcpListener),
    /// Close a port's listener and say so.
    Close(u16, Sender<()>),
    /// Close all listeners, wait for open connections at most this long, and end.
    Finish(Duration, oneshot::Sender<()>),
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
        patience: Patience,
    ) -> io::Result<Worker> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (report, prepared) = std::sync::mpsc::channel();
        let run = move || {
            let runtime =
                prepare().and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
            match runtime {
                Ok(runtime) => {
                    let _ = report.send(Ok(()));
                    runtime.block_on(Loop::new(patience).run(inbox));
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
    patience: Patience,
    listeners: BTreeMap<u16, Task<()>>,
    /// Every connection holds a receiver, so that the sender knows when the last one ended.
    open: watch::Sender<()>,
}

impl Loop {
    fn new(patience: Patience) -> Loop {
        Loop { patience, listeners: BTreeMap::new(), open: watch::Sender::new(()) }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = inbox.recv().await {
            match command {
                Command::Listen(port, listener) => self.listen(port, listener),
                Command::Close(number, done) => {
                    self.close(number).await;
                    let _ = done.send(());
                }
                Command::Finish(grace, done) => {
                    for number in self.listeners.keys().copied().collect::<Vec<_>>() {
                        self.close(number).await;
                    }
                    // Connections that are left end with the runtime.
                    let _ = tokio::time::timeout(grace, self.open.closed()).await;
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn listen(&mut self, port: Arc<Port>, listener: std::net::TcpListener) {
        let number = port.number;
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let accepting = accept(listener, port, self.patience, self.open.subscribe());
                self.listeners.insert(number, tokio::spawn(accepting));
            }
            Err(error) => {
                tracing::error!(port = number, %error, "published port has no listener on one worker")
            }
        }
    }

    async fn close(&mut self, number: u16) {
        if let Some(task) = self.listeners.remove(&number) {
            task.abort();
            // Waited for, as the listener is closed only then.
            let _ = task.await;
        }
    }
}

async fn accept(listener: TcpListener, port: Arc<Port>, patience: Patience, open: watch::Receiver<()>) {
    /// Out of descriptors or memory: a connection may end meanwhile; trying at once would only spin.
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let (visit, open) = (port.visit(), open.clone());
                tokio::spawn(async move {
                    serve(client, visit, patience).await;
                    drop(open);
                });
            }
            // The client gave up before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(port = port.number, %error, "cannot accept connections for a moment");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
