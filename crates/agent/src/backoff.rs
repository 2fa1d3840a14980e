//! How long to wait before the next try.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause. Short, since a cluster that comes back must find its agents at once.
const LONGEST: Duration = Duration::from_secs(4);

/// Returns the pause after `failures` failed tries in a row: doubled each time up to a limit, and
/// of that a share between a half and all, so that many agents do not come back at one moment.
/// `share` is a random number from 0 to 1.
pub fn pause(failures: u32, share: f64) -> Duration {
    let whole = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    whole.mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let at = |failures| pause(failures, 1.0).as_millis();

        assert_eq!([at(1), at(2), at(3), at(6), at(7), at(100)], [100, 200, 400, 3200, 4000, 4000]);
        assert_eq!(pause(1, 0.0).as_millis(), 50);
    }
}
