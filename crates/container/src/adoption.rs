//! Finding the shim of a container that an earlier process made, at whatever step that process ended.

use std::fs::File;
use std::time::Duration;

use cgroup::Pidfd;
use shim::hold::{Hold, hold};
use shim::place::Place;
use shim::talk::Message;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::keeper::Link;

/// Far above any preparation and any end; a shim that takes longer hangs in the kernel.
const SILENT_DEADLINE: Duration = Duration::from_secs(60);
/// How long a shim that does not answer is waited for before it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// What was found of a container's shim.
pub(crate) enum Found {
    /// It answers.
    Shim(Link, Message),
    /// There is none, and none begins as long as this is kept.
    Nothing(Option<File>),
}

/// Looks for a container's shim, and waits for one that is not ready to answer yet or about to end.
pub(crate) async fn find_shim(place: &Place) -> Found {
    let end = Instant::now() + SILENT_DEADLINE;
    loop {
        if let Ok((link, message)) = Link::adopt(place).await {
            return Found::Shim(link, message);
        }
        match hold(place) {
            Ok(Hold::Free(kept)) => return Found::Nothing(kept),
            Ok(Hold::Shim(pid)) if Instant::now() < end => {
                let waited = spawn_blocking(move || Pidfd::open(pid)?.wait_ended(ASK_AGAIN_AFTER));
                // If it is gone already, the next turn finds nothing.
                let _ = waited.await.expect("waiting for a process does not panic");
            }
            Ok(Hold::Shim(pid)) => {
                tracing::warn!("shim {pid} of {} does not answer and does not end", place.dir.display());
                return Found::Nothing(None);
            }
            Err(error) => {
                tracing::warn!(%error, "look for the shim of {}", place.dir.display());
                return Found::Nothing(None);
            }
        }
    }
}
