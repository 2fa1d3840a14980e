//! Times as they travel in parameters and in logs.

use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// Writes a time with nine digits after the point, as Docker's logs do.
pub(crate) fn write(at: Timestamp) -> String {
    use time::macros::format_description;
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");
    time::OffsetDateTime::from_unix_timestamp_nanos(at.0.into())
        .ok()
        .and_then(|time| time.format(&format).ok())
        .unwrap_or_default()
}

/// Returns the time of this host.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Reads a time written as seconds since 1970, with an optional fraction.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_with_a_fraction() {
        assert_eq!(read("1700000000"), Some(Timestamp(1_700_000_000_000_000_000)));
        assert_eq!(read("1.5"), Some(Timestamp(1_500_000_000)));
        assert_eq!(read("1.000000001"), Some(Timestamp(1_000_000_001)));
        assert_eq!((read("x"), read("1.x"), read("1.0000000001")), (None, None, None));
    }

    #[test]
    fn timestamps_have_nine_digits() {
        assert_eq!(write(Timestamp(1_500_000_000)), "1970-01-01T00:00:01.500000000Z");
    }
}
