//! Numbers of what went through, per port and backend.

use crate::{Backend, Transport};

/// Is what happened on one published port since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortCounters {
    /// The published port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// Connections or flows open at this moment.
    pub active: usize,
    /// Connections accepted, or flows begun.
    pub total: u64,
    /// Connections, requests or flows left unserved, because no backend was there or none could be reached.
    pub refused: u64,
    /// The backends of the moment.
    pub backends: Vec<BackendCounters>,
}

/// Is what happened with one backend since it was put into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendCounters {
    /// Which one.
    pub backend: Backend,
    /// Connections, requests (of HTTP) or flows it serves at this moment.
    pub active: usize,
    /// Connections, requests or flows it was chosen for.
    pub total: u64,
    /// Of these, those it refused, did not answer in time, or reset before its first byte.
    pub failed: u64,
    /// Bytes sent to it.
    pub bytes_in: u64,
    /// Bytes received from it.
    pub bytes_out: u64,
}
