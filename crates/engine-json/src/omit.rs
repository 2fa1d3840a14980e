//! Which values Go leaves out of its JSON.

use model::Invalid;
use serde::Serializer;
use std::time::Duration;

/// Claims that the value is what Go's `omitempty` leaves out.
pub(crate) fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes a ratio as Go does: `0`, not `0.0`, and `0.1`, not the nearest double of its 32 bits.
pub(crate) fn ratio<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    if *value == 0.0 || *value == 1.0 {
        return serializer.serialize_u8(*value as u8);
    }
    let shortest = value.to_string().parse().unwrap_or(f64::from(*value));
    serializer.serialize_f64(shortest)
}

/// Reads nanoseconds that must not be negative.
pub(crate) fn duration(nanoseconds: i64, what: &str) -> Result<Duration, Invalid> {
    u64::try_from(nanoseconds)
        .map(Duration::from_nanos)
        .map_err(|_| Invalid::because(format!("{what} cannot be negative")))
}

/// Writes nanoseconds; what does not fit becomes the greatest number.
pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
