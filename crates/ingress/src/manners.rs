//! How a worker treats clients and backends, and what it is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::reach::Patience;
use crate::{datagram, http};

/// Says how a worker treats clients and backends, and knows what it is doing.
#[derive(Debug)]
pub(crate) struct Manners {
    pub(crate) patience: Patience,
    pub(crate) limits: http::Limits,
    pub(crate) flows: datagram::Bounds,
    /// Connections, or requests on ports that carry HTTP, that are being served.
    busy: AtomicUsize,
    is_closing: AtomicBool,
    /// Told when that becomes true.
    closing: Notify,
    /// Told when nothing is being served while the worker closes.
    is_idle: Notify,
}

/// Counts as being served while it lives.
pub(crate) struct Busy(Arc<Manners>);

impl Manners {
    pub(crate) fn new(patience: Patience, limits: http::Limits, flows: datagram::Bounds) -> Manners {
        Manners {
            patience,
            limits,
            flows,
            busy: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            closing: Notify::new(),
            is_idle: Notify::new(),
        }
    }

    /// Tells whether the worker is about to end, so that clients should go elsewhere with their next request.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Waits until the worker is about to end.
    pub(crate) async fn closing(&self) {
        // All of this happens on the worker's thread, so that nothing comes between the look and the wait.
        if !self.is_closing() {
            self.closing.notified().await;
        }
    }

    /// Notes that the worker is about to end.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.closing.notify_waiters();
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Waits until nothing is being served.
    pub(crate) async fn idle(&self) {
        // All of this happens on the worker's thread, so that no end is missed between the look and the wait.
        while self.busy.load(Ordering::Relaxed) > 0 {
            self.is_idle.notified().await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::Relaxed) == 1 && self.0.is_closing() {
            self.0.is_idle.notify_waiters();
        }
    }
}
