//! The seam between the log and what the log is about.

/// A deterministic state machine that the log drives.
pub trait StateMachine: Send + 'static {
    /// An immutable picture of the state that is cheap to clone.
    type View: Clone + Send + Sync + 'static;

    /// Applies one entry and returns the outcome for its proposer; the same entries in the same
    /// order must give the same state and outcomes on every manager.
    fn apply(&mut self, index: u64, entry: &[u8]) -> Vec<u8>;

    /// Returns the state as it is now.
    fn view(&self) -> Self::View;

    /// Captures the state cheaply; the returned function encodes it on another thread.
    fn snapshot(&self) -> Box<dyn FnOnce() -> Vec<u8> + Send>;

    /// Replaces the whole state by an encoded one.
    fn restore(&mut self, data: &[u8]) -> Result<(), String>;
}
