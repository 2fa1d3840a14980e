//! What every verb works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use consensus::Proposer;
use model::Timestamp;
use store::View;

use crate::Error;

/// The user's verbs, on one manager.
#[derive(Clone)]
pub struct Control {
    pub(crate) proposer: Proposer,
    pub(crate) clock: fn() -> Timestamp,
    /// Whether the view has been current once since the start.
    caught_up: Arc<AtomicBool>,
}

impl Control {
    /// Makes the verbs over this manager's proposer.
    pub fn new(proposer: Proposer, clock: fn() -> Timestamp) -> Self {
        Self { proposer, clock, caught_up: Arc::default() }
    }

    /// Returns this manager's view as it is.
    pub fn view(&self) -> View {
        self.proposer.view()
    }

    /// Returns this manager's view for lists: on a follower it may be a moment old. A manager that
    /// has just started waits until it was current once, since its own log does not tell how much of
    /// it was acknowledged, and a list must not lack what a user was told is there.
    pub async fn listed(&self) -> Result<View, Error> {
        if self.caught_up.load(Ordering::Relaxed) { Ok(self.view()) } else { self.current().await }
    }

    /// Returns a view that holds everything acknowledged before the call. For what a change is based on.
    pub async fn current(&self) -> Result<View, Error> {
        let view = self.proposer.current().await.map_err(consensus::UpdateError::from)?;
        self.caught_up.store(true, Ordering::Relaxed);
        Ok(view)
    }

    /// Returns the proposer below, with the views as they come and this manager's place in its group.
    pub fn proposer(&self) -> &Proposer {
        &self.proposer
    }
}
