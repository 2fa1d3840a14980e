//! Tries again what fails for reasons that pass.

use std::time::Duration;

use crate::error::Error;

const ATTEMPTS_MAX: u32 = 4;
const BACK_OFF: Duration = Duration::from_millis(250);

/// Counts attempts at one thing.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    made: u32,
    has_moved: bool,
}

impl Attempts {
    /// Notes that one is further than before: what breaks after that is a new failure.
    pub(crate) fn moved(&mut self) {
        (self.made, self.has_moved) = (0, true);
    }

    /// Notes that the way to the registry was there, without saying that one is further.
    pub(crate) fn worked(&mut self) {
        self.has_moved = true;
    }

    /// Waits until it is time to try again, a little longer each time; returns an error that is worth no other try.
    pub(crate) async fn again_after(&mut self, error: Error) -> Result<(), Error> {
        self.made += 1;
        let is_worth_it = error.is_transient() || (self.has_moved && error.is_of_the_way());
        if self.made >= ATTEMPTS_MAX || !is_worth_it {
            return Err(error);
        }
        tracing::info!(attempt = self.made, %error, "trying the registry again");
        // Half of it is random, so that many nodes do not come back at once.
        let whole = BACK_OFF * 2_u32.pow(self.made);
        tokio::time::sleep(whole.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        Ok(())
    }
}
