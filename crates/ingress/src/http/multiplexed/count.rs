//! How many requests of a connection are going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Counts requests.
#[derive(Default)]
pub(super) struct Count(Arc<Going>);

#[derive(Default)]
struct Going {
    count: AtomicUsize,
    changed: Notify,
}

/// Counts as a request while it lives.
pub(super) struct Counted(Arc<Going>);

impl Count {
    pub(super) fn begin(&self) -> Counted {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.changed.notify_one();
        Counted(self.0.clone())
    }

    /// Waits until there was no request for so long.
    pub(super) async fn idle(&self, delay: Duration) {
        loop {
            if self.0.count.load(Ordering::Relaxed) > 0 {
                self.0.changed.notified().await;
            } else if tokio::time::timeout(delay, self.0.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}
