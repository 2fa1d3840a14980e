//! Answers over IPv6 at TCP ports published on every address, and carries what comes to the container.
//!
//! Containers have no IPv6 address, so that the kernel cannot redirect these connections as it does the others. One
//! thread of the host carries them all; they end with the daemon, and those over IPv4 do not.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::Error;
use crate::namespace::NamespaceHandle;

/// Connections that wait to be taken; the kernel's own bound is usually lower.
const BACKLOG: i32 = 4096;

/// Takes a port on all IPv6 addresses of the calling thread's namespace; nothing if there are none.
pub(crate) fn bind(port: u16) -> io::Result<Option<TcpListener>> {
    let listen = || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        socket.set_only_v6(true)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    match listen() {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_without_ipv6(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT))
}

/// Ends a relay and its connections when it is dropped.
#[derive(Debug)]
pub(crate) struct Relaying {
    _end: oneshot::Sender<()>,
}

struct Order {
    listener: TcpListener,
    to: SocketAddrV4,
    end: oneshot::Receiver<()>,
}

/// Is the thread that relays, started with the first port.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    thread: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    /// Never holds more than this host has ports.
    orders: mpsc::UnboundedSender<Order>,
    ended: JoinHandle<()>,
}

impl Relay {
    /// Carries what comes to a listener to a container, inside the host's namespace.
    pub(crate) fn serve(
        &self,
        host: &NamespaceHandle,
        listener: TcpListener,
        to: SocketAddrV4,
    ) -> Result<Relaying, Error> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match &mut *thread {
            Some(running) => running,
            none => none.insert(Running::start(host.try_clone()?)?),
        };
        let (relaying, end) = oneshot::channel();
        // A thread that broke leaves IPv4 alone, and says so itself.
        let _ = running.orders.send(Order { listener, to, end });
        Ok(Relaying { _end: relaying })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { orders, ended }) = thread.take() {
            drop(orders);
            let _ = ended.join();
        }
    }
}

impl Running {
    fn start(host: NamespaceHandle) -> Result<Running, Error> {
        let (orders, received) = mpsc::unbounded_channel();
        let run = move || {
            if let Err(error) = run(&host, received) {
                tracing::error!(%error, "published ports do not answer over IPv6");
            }
        };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(run);
        Ok(Running { orders, ended: thread.map_err(Error::kernel("start a thread"))? })
    }
}

fn run(host: &NamespaceHandle, mut orders: mpsc::UnboundedReceiver<Order>) -> io::Result<()> {
    host.enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let mut ports = JoinSet::new();
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => drop(ports.spawn(serve(order))),
                    None => return Ok(()),
                },
                Some(_) = ports.join_next() => {}
            }
        }
    })
}

/// Takes connections until the port is given back.
async fn serve(order: Order) {
    let Order { listener, to, mut end } = order;
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%to, %error, "a published port does not answer over IPv6"),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(carry(client, to))),
                // Out of descriptors, or the client went; the next may fare better.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut end => return,
        }
    }
}

/// How long to wait when no connection can be taken.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

async fn carry(mut client: TcpStream, to: SocketAddrV4) {
    let Ok(mut container) = TcpStream::connect(to).await else { return };
    let _ = (client.set_nodelay(true), container.set_nodelay(true));
    // Either side may break the connection, which ends it for the other.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut container).await;
}
