//! What a container's namespace holds beside its interfaces: where its questions for names go, and its connections to
//! virtual addresses.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::{Protocol, Socket, flow};
use crate::nft::{balance, names};
use crate::virtual_ip::Slots;

/// The address at which containers ask for names, as in Docker.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// Says that a container asks for names at [`RESOLVER`], and what has to be remembered of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The servers its user wants asked for foreign names, if any.
    pub servers: Vec<IpAddr>,
}

/// Is where a container's questions for names arrive.
#[derive(Debug)]
pub struct ResolverSockets {
    /// For datagrams.
    pub udp: UdpSocket,
    /// For connections.
    pub tcp: TcpListener,
}

/// Is the packet filter of one container's namespace.
#[derive(Debug)]
pub(crate) struct Inside {
    path: PathBuf,
    filter: Mutex<Filter>,
}

#[derive(Debug)]
struct Filter {
    /// Opened when it is first needed; closing one waits for the kernel, so it is kept.
    socket: Option<Socket>,
    balanced: Balanced,
}

#[derive(Debug)]
enum Balanced {
    /// The namespace was made by this process and holds nothing yet.
    Not,
    /// An earlier process may have left something, or a change failed.
    Unknown,
    As(Slots),
}

impl Inside {
    /// Describes a namespace that was just made.
    pub(crate) fn fresh(path: PathBuf) -> Inside {
        Inside::new(path, Balanced::Not)
    }

    /// Describes a namespace that an earlier process made.
    pub(crate) fn found(path: PathBuf) -> Inside {
        Inside::new(path, Balanced::Unknown)
    }

    fn new(path: PathBuf, balanced: Balanced) -> Inside {
        Inside { path, filter: Mutex::new(Filter { socket: None, balanced }) }
    }

    /// Opens sockets at the resolver's address and leads the container's questions there.
    pub(crate) fn open_resolver(&self) -> Result<ResolverSockets, Error> {
        let mut filter = self.filter();
        let namespace = self.namespace()?;
        let open = || {
            let udp = UdpSocket::bind((RESOLVER, 0))?;
            let tcp = TcpListener::bind((RESOLVER, 0))?;
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            let ports = (udp.local_addr()?.port(), tcp.local_addr()?.port());
            Ok((ResolverSockets { udp, tcp }, ports))
        };
        let opened = || open().map_err(Error::kernel("open sockets for a container's questions for names"));
        let (sockets, (udp, tcp)) = namespace::visit(&namespace, "open a container's resolver", opened)?;
        names::lead_questions(filter.socket(&namespace)?, RESOLVER, udp, tcp)?;
        Ok(sockets)
    }

    /// Makes virtual addresses stand for what is wanted, which is asked for while no other call is at work.
    pub(crate) fn balance(&self, wanted: impl FnOnce() -> Slots) -> Result<(), Error> {
        let mut filter = self.filter();
        let wanted = wanted();
        let former = match std::mem::replace(&mut filter.balanced, Balanced::Unknown) {
            Balanced::Not if wanted.is_empty() => {
                filter.balanced = Balanced::Not;
                return Ok(());
            }
            Balanced::Not | Balanced::Unknown => None,
            Balanced::As(former) => Some(former),
        };
        let is_updated = match (&former, &filter.socket) {
            (Some(former), Some(socket)) => balance::update(socket, former, &wanted)
                .inspect_err(|error| tracing::warn!(%error, "putting all of it in place anew"))
                .is_ok(),
            _ => false,
        };
        let socket = filter.socket(&self.namespace()?)?;
        if !is_updated {
            balance::replace(socket, &wanted)?;
        }
        if former.is_none_or(|former| lacks_any(&wanted, &former))
            && let Err(error) = move_datagrams(socket, &wanted)
        {
            tracing::warn!(%error, "datagrams may go on to where nobody is");
        }
        filter.balanced = Balanced::As(wanted);
        Ok(())
    }

    fn namespace(&self) -> Result<NamespaceHandle, Error> {
        let gone = || Error::kernel("open a container's namespace")(std::io::ErrorKind::NotFound.into());
        NamespaceHandle::at(&self.path)?.ok_or_else(gone)
    }

    fn filter(&self) -> MutexGuard<'_, Filter> {
        // What a panic left is found to be unknown, or as it was.
        self.filter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Claims that some backend of before is none any more.
fn lacks_any(wanted: &Slots, former: &Slots) -> bool {
    former.iter().any(|(address, former)| match wanted.get(address) {
        Some(backends) if Arc::ptr_eq(backends, former) => false,
        Some(backends) => {
            // Nearly all are where they were.
            let mut moved =
                former.iter().zip(0..).filter(|(backend, slot)| backends.get(*slot) != Some(*backend));
            moved.any(|(backend, _)| !backends.contains(backend))
        }
        None => !former.is_empty(),
    })
}

/// Makes datagrams that go to what is no backend any more go elsewhere. Their sender never hears that nobody takes
/// them; connections are left alone, as what they lead to may be about to end them in order.
fn move_datagrams(socket: &Socket, wanted: &Slots) -> Result<(), Error> {
    let mut astray = flow::flows(socket)?;
    astray.retain(|flow| {
        let backends = wanted.get(&flow.to);
        i32::from(flow.protocol) == libc::IPPROTO_UDP
            && flow.to != flow.answered_by
            && backends.is_some_and(|backends| !backends.contains(&flow.answered_by))
    });
    flow::forget(socket, &astray)
}

impl Filter {
    fn socket(&mut self, namespace: &NamespaceHandle) -> Result<&Socket, Error> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => namespace::visit(namespace, "open a socket in a container", || {
                Socket::open(Protocol::Netfilter).map_err(Error::kernel("open a socket in a container"))
            })?,
        };
        Ok(self.socket.insert(socket))
    }
}
