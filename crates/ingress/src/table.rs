//! What the proxy is told: ports and the backends behind them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Is every published port of the node with its backends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What is published, by port number.
    pub ports: BTreeMap<u16, Published>,
}

/// Is what is published under one number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The TCP port; without backends it refuses its clients.
    pub tcp: Option<Tcp>,
    /// The backends of the UDP port; without any, datagrams are dropped.
    pub udp: Option<Vec<Backend>>,
}

/// Is a published TCP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// What its connections carry.
    pub carries: AppProtocol,
    /// Who serves it.
    pub backends: Vec<Backend>,
}

/// Says what connections of a port carry, and so what is balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppProtocol {
    /// Bytes of any kind: a connection goes to one backend as it is.
    #[default]
    Bytes,
    /// Bytes after a header that tells the backend who the client is.
    Announced(ProxyVersion),
    /// HTTP/1 and HTTP/2 without encryption: each request goes to a backend of its own.
    Http,
}

/// Is a version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Is one replica that takes connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// The task it is.
    pub task: String,
}

/// Is what carries a port's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Is the sockets of a port, to outlive the process: clients that come while nobody accepts wait in the kernel's queue.
#[derive(Debug)]
pub struct Kept {
    /// The published port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// One socket per worker.
    pub sockets: Vec<OwnedFd>,
}

/// Says that a published port could not be opened; it is tried again until it can.
#[derive(Debug, thiserror::Error)]
#[error("listen on published port {port}/{transport}")]
pub struct PortProblem {
    /// The published port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// The kernel's answer.
    #[source]
    pub error: io::Error,
}

impl FromIterator<Backend> for Published {
    /// Publishes backends over TCP, for bytes of any kind.
    fn from_iter<I: IntoIterator<Item = Backend>>(backends: I) -> Published {
        let tcp = Tcp { carries: AppProtocol::Bytes, backends: backends.into_iter().collect() };
        Published { tcp: Some(tcp), udp: None }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}
