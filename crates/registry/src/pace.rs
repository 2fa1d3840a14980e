//! Notices a peer that says nothing, or next to nothing.

use std::future::Future;
use std::time::{Duration, Instant};

/// Whoever sends less than this while being waited for is stalled, however regularly it comes: a layer would take days.
pub(crate) const BYTES_MIN: u64 = 1024;

/// Tells that a peer was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stalled;

/// Counts the time in which one waits for a peer, and what comes meanwhile; the time in which the peer waits for us
/// does not count.
#[derive(Debug)]
pub(crate) struct Pace {
    patience: Duration,
    waited: Duration,
    moved: u64,
}

impl Pace {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, waited: Duration::ZERO, moved: 0 }
    }

    /// Waits for the peer's next move.
    pub(crate) async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Stalled> {
        let mut next = std::pin::pin!(next);
        loop {
            let start = Instant::now();
            let come = tokio::time::timeout(self.patience.saturating_sub(self.waited), &mut next).await;
            self.waited += start.elapsed();
            let is_stalled = self.turn_the_glass();
            match come {
                Ok(come) => return Ok(come),
                Err(_elapsed) if is_stalled => return Err(Stalled),
                Err(_elapsed) => {}
            }
        }
    }

    /// Notes how many bytes came.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
    }

    /// Begins the next count once the time is over, and tells whether too little came in the last.
    fn turn_the_glass(&mut self) -> bool {
        if self.waited < self.patience {
            return false;
        }
        self.waited = Duration::ZERO;
        std::mem::take(&mut self.moved) < BYTES_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn silence_is_noticed() {
        let mut pace = Pace::new(PATIENCE);

        assert_eq!(pace.wait(std::future::pending::<()>()).await, Err(Stalled));
    }

    #[tokio::test]
    async fn trickle_is_noticed_and_a_stream_with_pauses_is_not() {
        for (bytes, expected) in [(1, Err(Stalled)), (100_000, Ok(()))] {
            let mut pace = Pace::new(PATIENCE);
            let mut outcome = Ok(());

            for _ in 0..20 {
                outcome = pace.wait(tokio::time::sleep(Duration::from_millis(10))).await;
                pace.moved(bytes);
                if outcome.is_err() {
                    break;
                }
            }

            assert_eq!(outcome, expected, "{bytes} bytes at a time");
        }
    }
}
