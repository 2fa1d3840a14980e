//! The clock of the whole program.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// Returns the time now.
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// Returns a system time as a timestamp; before 1970 it is 0.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Returns a timestamp as a system time.
pub fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(at.0).unwrap_or(0))
}
