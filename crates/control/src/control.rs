//! What every verb works with.

use consensus::Proposer;
use model::Timestamp;
use store::View;

use crate::Error;

/// The user's verbs, on one manager.
#[derive(Clone)]
pub struct Control {
    pub(crate) proposer: Proposer,
    pub(crate) clock: fn() -> Timestamp,
}

impl Control {
    /// Makes the verbs over this manager's proposer.
    pub fn new(proposer: Proposer, clock: fn() -> Timestamp) -> Self {
        Self { proposer, clock }
    }

    /// Returns this manager's view, which may be a moment old on a follower. For lists.
    pub fn view(&self) -> View {
        self.proposer.view()
    }

    /// Returns a view that holds everything acknowledged before the call. For what a change is based on.
    pub async fn current(&self) -> Result<View, Error> {
        self.proposer.current().await.map_err(|error| consensus::UpdateError::from(error).into())
    }

    /// Returns the proposer below, with the views as they come and this manager's place in its group.
    pub fn proposer(&self) -> &Proposer {
        &self.proposer
    }
}
