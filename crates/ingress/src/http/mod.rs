//! Ports that carry HTTP: each request goes to a backend of its own.

mod answer;
mod back;
mod client;
mod exchange;
mod forth;
mod multiplexed;
mod pool;
mod session;

pub(crate) use session::Session;

use std::time::Duration;

/// Closes connections to backends that wait for nothing any more.
pub(crate) fn trim_backends() {
    pool::trim();
    multiplexed::trim();
}

/// Closes all connections to backends that wait.
pub(crate) fn close_backends() {
    pool::clear();
    multiplexed::clear();
}

/// Says how patient the proxy is with those who speak HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a client may keep its connection without a request.
    pub(crate) idle: Duration,
    /// How long the head of a request may take from its first byte.
    pub(crate) head: Duration,
    /// How long a request may go on without a byte in either direction.
    pub(crate) stall: Duration,
}
