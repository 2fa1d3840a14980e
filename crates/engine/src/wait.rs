//! Waiting until containers have ended or are gone.

use tokio::sync::watch;

use crate::life::{Life, Step};
use crate::{Engine, Error};

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// That it does not run; at once if it does not.
    #[default]
    NotRunning,
    /// That a run ends, now or later.
    NextExit,
    /// That it is removed.
    Removed,
}

impl Engine {
    /// Begins to wait: what happens after this call is seen. The future gives the exit code.
    pub fn wait(
        &self,
        name: &str,
        condition: Condition,
    ) -> Result<impl Future<Output = i32> + Send + use<>, Error> {
        let life = self.entry(name)?.life.subscribe();
        let begun = life.borrow().clone();
        Ok(until(life, condition, begun))
    }
}

async fn until(mut life: watch::Receiver<Life>, condition: Condition, begun: Life) -> i32 {
    // When the container's entry is gone altogether, its last word counts.
    let last = life.wait_for(|life| is_met(condition, &begun, life)).await.map(|life| life.exit_code);
    last.unwrap_or_else(|_| life.borrow().exit_code)
}

fn is_met(condition: Condition, begun: &Life, life: &Life) -> bool {
    let has_ended = life.ends > begun.ends;
    match (condition, life.step) {
        (_, Step::Removed) => true,
        (Condition::Removed, _) => false,
        (Condition::NextExit, _) => has_ended,
        (Condition::NotRunning, _) => has_ended || !begun.step.is_alive(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_met_as_in_docker() {
        use Condition::{NextExit, NotRunning, Removed};
        use Step::{Created, Exited, Removing, Restarting, Running};
        for (condition, begun, step, ends, expected) in [
            (NotRunning, Created, Created, 0, true),
            (NotRunning, Exited, Exited, 0, true),
            (NotRunning, Running, Running, 0, false),
            (NotRunning, Running, Exited, 1, true),
            (NotRunning, Running, Restarting, 1, true),
            (NotRunning, Running, Running, 1, true),
            (NotRunning, Restarting, Running, 0, false),
            (NextExit, Created, Created, 0, false),
            (NextExit, Exited, Exited, 0, false),
            (NextExit, Created, Running, 0, false),
            (NextExit, Created, Exited, 1, true),
            (NextExit, Created, Step::Removed, 0, true),
            (Removed, Running, Exited, 1, false),
            (Removed, Running, Removing, 1, false),
            (Removed, Running, Step::Removed, 1, true),
        ] {
            let begun = Life { step: begun, ..Life::default() };
            let life = Life { step, ends, exit_code: 0 };
            assert_eq!(is_met(condition, &begun, &life), expected, "{condition:?} {begun:?} {life:?}");
        }
    }

    #[tokio::test]
    async fn the_code_of_the_run_that_ends_is_told() {
        let life = watch::Sender::new(Life { step: Step::Running, ends: 4, exit_code: 1 });
        let waiting = tokio::spawn(until(life.subscribe(), Condition::NextExit, life.borrow().clone()));

        life.send_replace(Life { step: Step::Exited, ends: 5, exit_code: 7 });

        assert_eq!(waiting.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_entry() {
        let life = watch::Sender::new(Life { step: Step::Running, ends: 0, exit_code: 3 });
        let waiting = tokio::spawn(until(life.subscribe(), Condition::Removed, life.borrow().clone()));

        drop(life);

        assert_eq!(waiting.await.unwrap(), 3);
    }
}
