//! What a container's namespace holds beside its interfaces: where its questions for names go, and its connections to
//! virtual addresses.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::{Protocol, Socket};
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
        match &filter.balanced {
            Balanced::Not if wanted.is_empty() => return Ok(()),
            Balanced::Not | Balanced::Unknown => {}
            Balanced::As(present) => {
                let socket = filter.socket.as_ref();
                let updated = socket.map(|socket| balance::update(socket, present, &wanted));
                match updated {
                    Some(Ok(())) => {
                        filter.balanced = Balanced::As(wanted);
                        return Ok(());
                    }
                    Some(Err(error)) => tracing::warn!(%error, "putting all of it in place anew"),
                    None => {}
                }
            }
        }
        filter.balanced = Balanced::Unknown;
        balance::replace(filter.socket(&self.namespace()?)?, &wanted)?;
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
