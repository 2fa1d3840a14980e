//! What the proxy is told: ports and the backends behind them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

/// Is every published port of the node with its backends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Backends by published port; a port without any refuses its clients.
    pub ports: BTreeMap<u16, Vec<Backend>>,
}

/// Is one replica that takes connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// The task it is.
    pub task: String,
}

/// Says that a published port could not be opened; it is tried again until it can.
#[derive(Debug, thiserror::Error)]
#[error("listen on published port {port}")]
pub struct PortProblem {
    /// The published port.
    pub port: u16,
    /// The kernel's answer.
    #[source]
    pub error: io::Error,
}
