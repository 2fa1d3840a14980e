//! Times as they are written in logs.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_nine_digits() {
        assert_eq!(write(Timestamp(1_500_000_000)), "1970-01-01T00:00:01.500000000Z");
    }
}
