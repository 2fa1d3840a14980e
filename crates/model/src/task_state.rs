//! The life of a task, observed and desired.

/// How far a task is. States only grow; the numbers are Swarm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum TaskState {
    /// Made, without addresses.
    New = 0,
    /// Has its addresses and waits for a node.
    Pending = 64,
    /// Has a node.
    Assigned = 192,
    /// Its agent has taken it.
    Accepted = 256,
    /// Its agent fetches the image and makes the container.
    Preparing = 320,
    /// The container is made; it starts when it is desired to run.
    Ready = 384,
    /// The container was started and is not healthy yet.
    Starting = 448,
    /// It runs and, if it has a health check, is healthy.
    Running = 512,
    /// It exited with 0.
    Complete = 576,
    /// It was stopped on request.
    Shutdown = 640,
    /// It exited with another code, or could not be started.
    Failed = 704,
    /// It could not be prepared.
    Rejected = 768,
    /// Desired only: stop it and forget it.
    Remove = 800,
    /// Its node is gone for good.
    Orphaned = 832,
}

impl TaskState {
    /// All states, in order.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Pending,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Ready,
        Self::Starting,
        Self::Running,
        Self::Complete,
        Self::Shutdown,
        Self::Failed,
        Self::Rejected,
        Self::Remove,
        Self::Orphaned,
    ];

    /// Returns the state with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u16 == number)
    }

    /// Claims that a task in this state will never run again.
    pub fn is_terminal(self) -> bool {
        self > Self::Running
    }

    /// Moves forward to `next`; a state already reached stays.
    pub fn advance_to(&mut self, next: Self) {
        *self = (*self).max(next);
    }

    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_and_round_trip() {
        assert!(TaskState::ALL.is_sorted());
        for state in TaskState::ALL {
            assert_eq!(TaskState::from_number(state as u16), Some(state));
        }
        assert_eq!(TaskState::from_number(1), None);
    }

    #[test]
    fn advancing_never_goes_back() {
        let mut state = TaskState::Running;

        state.advance_to(TaskState::Ready);

        assert_eq!(state, TaskState::Running);
    }
}
