//! What a decision takes from the world.

use std::fmt;

use model::Timestamp;

/// The time, and a source of ids. Tests give both, so that a decision repeats.
pub struct Env<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// Gives 128 bits that nobody had before.
    pub next_id: &'a mut dyn FnMut() -> u128,
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("now", &self.now).finish_non_exhaustive()
    }
}
