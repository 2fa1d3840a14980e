//! Waiting for a claim to become true.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something to see and returns it with the time it took; panics with the last reason.
pub fn eventually<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Result<T, String>) -> (T, Duration) {
    let began = Instant::now();
    let deadline = Duration::from_secs(seconds);
    loop {
        match look() {
            Ok(seen) => return (seen, began.elapsed()),
            Err(reason) if began.elapsed() > deadline => {
                panic!("{what}: not within {seconds} s; at last: {reason}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Returns a time for a person.
pub fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
