//! Ports that carry HTTP: each request goes to a backend of its own.

mod alarm;
mod answer;
mod back;
mod client;
mod exchange;
mod forth;
mod pool;
mod serve;

pub(crate) use pool::{clear as close_idle_backends, trim as trim_idle_backends};
pub(crate) use serve::serve;

use std::time::Duration;

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
