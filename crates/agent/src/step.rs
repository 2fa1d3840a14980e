//! What a runner does next for its task.

use model::TaskState;

/// The next thing to do for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Say that the task is taken.
    Accept,
    /// Fetch the image, attach the networks, make the container.
    Prepare,
    /// Start the container.
    Start,
    /// Wait for its end, or for another wish.
    Watch,
    /// Wait for another wish.
    Park,
    /// Stop the container.
    Stop,
    /// Say that it is shut down; there is nothing to stop.
    GiveUp,
    /// Nothing more will happen.
    Rest,
}

/// Decides what comes next for a task that is desired to become `desired` and was observed as `observed`.
pub fn next_step(desired: TaskState, observed: TaskState) -> Step {
    if observed.is_terminal() {
        return Step::Rest;
    }
    if desired.is_terminal() && desired != TaskState::Complete {
        return if observed < TaskState::Preparing { Step::GiveUp } else { Step::Stop };
    }
    match observed {
        TaskState::New | TaskState::Pending | TaskState::Assigned => Step::Accept,
        TaskState::Accepted | TaskState::Preparing => Step::Prepare,
        TaskState::Ready if desired < TaskState::Running => Step::Park,
        TaskState::Ready | TaskState::Starting => Step::Start,
        TaskState::Running => Step::Watch,
        TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => Step::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::*;

    #[test]
    fn steps_follow_wish_and_observation() {
        let cases = [
            (Running, Assigned, Step::Accept),
            (Running, Accepted, Step::Prepare),
            (Ready, Ready, Step::Park),
            (Running, Ready, Step::Start),
            (Complete, Ready, Step::Start),
            (Running, Running, Step::Watch),
            (Shutdown, Assigned, Step::GiveUp),
            (Remove, Accepted, Step::GiveUp),
            (Shutdown, Preparing, Step::Stop),
            (Shutdown, Ready, Step::Stop),
            (Remove, Running, Step::Stop),
            (Running, Failed, Step::Rest),
            (Shutdown, Complete, Step::Rest),
        ];

        for (desired, observed, step) in cases {
            assert_eq!(next_step(desired, observed), step, "{desired:?} {observed:?}");
        }
    }

    #[test]
    fn every_pair_has_a_step_and_the_dead_rest() {
        for desired in TaskState::ALL {
            for observed in TaskState::ALL {
                let step = next_step(desired, observed);

                assert_eq!(step == Step::Rest, observed.is_terminal(), "{desired:?} {observed:?}");
            }
        }
    }
}
