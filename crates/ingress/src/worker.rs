//! One worker thread: serves connections and flows of its listeners, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

use crate::accept::{Accepted, Bench, accept, begin};
use crate::crew::{Crew, Seat};
use crate::listen::Listener;
use crate::manners::Manners;
use crate::port::{Key, Port};
use crate::{clock, datagram, http};

/// How often connections that wait for requests are looked through.
const TRIM: Duration = Duration::from_secs(1);
/// How long a worker that closes waits for a client's next request, to tell it to go elsewhere.
const FAREWELL: Duration = Duration::from_secs(1);

/// Is what a worker is told.
pub(crate) enum Command {
    /// Accept a port's clients.
    Listen(Arc<Port>, Listener),
    /// Serve a connection that another worker accepted.
    Adopt {
        /// The connection.
        stream: std::net::TcpStream,
        /// The client.
        address: SocketAddr,
        /// The port it was accepted at.
        port: Arc<Port>,
        /// Its place with this worker.
        seat: Seat,
    },
    /// Close a port's listener and say so.
    Close(Key, Sender<()>),
    /// Close connections that wait for requests to backends that were withdrawn.
    Trim,
    /// Close all listeners, wait for open connections at most this long, and end.
    Finish(Duration, oneshot::Sender<()>),
}

/// Is the handle of a worker thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) thread: JoinHandle<()>,
}

impl Worker {
    /// Starts worker number `number` of a crew; returns once `prepare` has run on its thread.
    pub(crate) fn start(
        number: usize,
        crew: Arc<Crew>,
        (commands, inbox): (mpsc::UnboundedSender<Command>, mpsc::UnboundedReceiver<Command>),
        prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
        manners: Manners,
    ) -> io::Result<Worker> {
        let (report, prepared) = std::sync::mpsc::channel();
        let run = move || {
            // Without what looks after processes and signals in every turn.
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = prepare().and_then(|()| builder.enable_io().enable_time().build());
            match runtime {
                Ok(runtime) => {
                    let _ = report.send(Ok(()));
                    runtime.block_on(Loop::new(number, crew, manners).run(inbox));
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("ingress-{number}")).spawn(run)?;
        prepared.recv().unwrap_or_else(|_| Err(io::Error::other("the worker thread ended early")))?;
        Ok(Worker { commands, thread })
    }
}

struct Loop {
    bench: Bench,
    /// More than one for a port only if they were inherited.
    listeners: BTreeMap<Key, Vec<Serving>>,
    /// Every connection holds a receiver, so that this knows when the last one ended.
    open: watch::Sender<()>,
}

/// Is what serves a listener.
enum Serving {
    /// Stopped by the sender's end, it accepts what has come.
    Connections(Task<()>, oneshot::Sender<()>),
    Datagrams(Task<()>),
}

impl Loop {
    fn new(worker: usize, crew: Arc<Crew>, manners: Manners) -> Loop {
        let (open, receiver) = watch::channel(());
        let bench = Bench { worker, crew, manners: Arc::new(manners), open: receiver };
        Loop { bench, listeners: BTreeMap::new(), open }
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
            match command {
                None => return,
                Some(Command::Listen(port, listener)) => self.listen(port, listener),
                Some(Command::Adopt { stream, address, port, seat }) => {
                    // One that the runtime cannot drive is broken.
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        begin(Accepted { stream, address, port, seat }, &self.bench);
                    }
                }
                Some(Command::Close(key, done)) => {
                    self.close(key).await;
                    let _ = done.send(());
                }
                Some(Command::Trim) => http::trim_backends(),
                Some(Command::Finish(grace, done)) => return self.finish(grace, done).await,
            }
        }
    }

    fn listen(&mut self, port: Arc<Port>, listener: Listener) {
        let key = port.key;
        let serving = match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(|listener| {
                let (stopper, stop) = oneshot::channel();
                let accepting = accept(listener, port, self.bench.clone(), stop);
                Serving::Connections(tokio::spawn(accepting), stopper)
            }),
            Listener::Udp(socket) => {
                let flows = self.bench.manners.flows;
                Ok(Serving::Datagrams(tokio::spawn(carry(socket, port, flows))))
            }
        };
        match serving {
            Ok(serving) => {
                self.listeners.entry(key).or_default().push(serving);
            }
            Err(error) => {
                tracing::error!(port = key.0, %error, "published port has no listener on one worker")
            }
        }
    }

    /// Closes a listener; returns once it is closed.
    async fn close(&mut self, key: Key) {
        for serving in self.listeners.remove(&key).unwrap_or_default() {
            let ended = match serving {
                Serving::Connections(task, stopper) => {
                    drop(stopper);
                    task.await
                }
                Serving::Datagrams(task) => {
                    task.abort();
                    task.await
                }
            };
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(port = key.0, "a listener ended by a bug");
            }
        }
    }

    async fn finish(mut self, grace: Duration, done: oneshot::Sender<()>) {
        self.bench.manners.close();
        for key in self.listeners.keys().copied().collect::<Vec<_>>() {
            self.close(key).await;
        }
        let Loop { bench, open, .. } = self;
        let Bench { manners, open: receiver, .. } = bench;
        drop(receiver);
        let unused = async {
            tokio::time::sleep(FAREWELL).await;
            manners.idle().await;
        };
        // Ends when no connection is open, or those that are had their time to ask for something and did not. What is
        // left after the grace ends with the runtime.
        let closed = async {
            tokio::select! {
                () = open.closed() => {}
                () = unused => {}
            }
        };
        let _ = tokio::time::timeout(grace, closed).await;
        http::close_backends();
        let _ = done.send(());
    }
}

/// Serves a UDP port until it is closed.
async fn carry(socket: std::net::UdpSocket, port: Arc<Port>, bounds: datagram::Bounds) {
    let number = port.key.0;
    if let Err(error) = datagram::serve(socket, port, bounds).await {
        tracing::error!(port = number, %error, "published port carries no datagrams on one worker");
    }
}
