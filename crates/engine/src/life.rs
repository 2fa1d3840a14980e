//! Where containers are in their lives.

/// Where a container is in its life, for all who wait for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// Where it is.
    pub step: Step,
    /// Counts the runs that have ended since this process began.
    pub ends: u64,
    /// The exit code of the last run.
    pub exit_code: i32,
}

/// The steps of a life. Whether a running container is frozen is for the crate `container` to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// It never ran.
    #[default]
    Created,
    /// It runs.
    Running,
    /// It has ended and will start again by its policy.
    Restarting,
    /// It has ended.
    Exited,
    /// It is being removed.
    Removing,
    /// It is gone.
    Removed,
}

impl Step {
    /// Tells whether a run is on or about to come.
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, Step::Running | Step::Restarting)
    }
}
