//! Times as Go writes them: RFC 3339 with nanoseconds, and a zero time in the year 1.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const ZERO: &str = "0001-01-01T00:00:00Z";

/// A point in time; the default is Go's zero time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(Timestamp);

impl Time {
    /// Claims that no time was given.
    pub fn is_zero(self) -> bool {
        self.0 == Timestamp::default()
    }

    /// Makes a time from nanoseconds since 1970-01-01 UTC.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(Timestamp(nanoseconds))
    }

    /// Returns the nanoseconds since 1970-01-01 UTC.
    pub const fn nanoseconds(self) -> i64 {
        self.0.0
    }

    /// Returns how long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.since(earlier.0)
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str(ZERO);
        }
        // The format drops trailing zeros of the fraction, as Go's RFC3339Nano does.
        let time = OffsetDateTime::from_unix_timestamp_nanos(self.0.0.into())
            .expect("64 bits of nanoseconds reach the years 1677 to 2262, which the type holds");
        f.write_str(&time.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time such as 2006-01-02T15:04:05.999999999Z")]
pub struct NotATime(String);

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        if text == ZERO {
            return Ok(Self::default());
        }
        let refuse = || NotATime(text.chars().take(64).collect());
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refuse())?;
        i64::try_from(time.unix_timestamp_nanos()).map(|nanos| Self(Timestamp(nanos))).map_err(|_| refuse())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() { Ok(Self::default()) } else { text.parse().map_err(serde::de::Error::custom) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_comes_back(nanoseconds in any::<i64>()) {
            let time = Time::from_nanoseconds(nanoseconds);

            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn times_are_written_as_go_does_and_read_back() {
        for (nanos, text) in [
            (0, "0001-01-01T00:00:00Z"),
            (1_700_000_000_000_000_000, "2023-11-14T22:13:20Z"),
            (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
            (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
        ] {
            let time = Time(Timestamp(nanos));

            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
        assert!("yesterday".parse::<Time>().is_err());
        assert_eq!("2023-11-14T23:13:20+01:00".parse(), Ok(Time(Timestamp(1_700_000_000_000_000_000))));
    }
}
