//! One timer for all that a connection waits for, which costs nothing while deadlines only move on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Duration, Instant, Sleep, sleep_until};

/// Rings when its deadline has passed.
pub(crate) struct Alarm {
    deadline: Instant,
    /// Set to a time that is never after the deadline.
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    pub(crate) fn after(delay: Duration) -> Alarm {
        let deadline = Instant::now() + delay;
        Alarm { deadline, sleep: Box::pin(sleep_until(deadline)) }
    }

    pub(crate) fn set_after(&mut self, delay: Duration) {
        self.deadline = Instant::now() + delay;
        if self.deadline < self.sleep.deadline() {
            self.sleep.as_mut().reset(self.deadline);
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            if Instant::now() >= self.deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.deadline);
        }
    }
}
