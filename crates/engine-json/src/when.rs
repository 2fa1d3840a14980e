//! Times as parameters and filters give them: since 1970, by the calendar, or ago.

use std::str::FromStr;

use time::macros::format_description;
use time::{Date, PrimitiveDateTime};

use crate::Time;

const SECOND_NS: i64 = 1_000_000_000;

/// A text that no parameter takes for a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time: expected seconds since 1970, a date such as 2006-01-02T15:04:05Z, or a duration such as 1h30m"
)]
pub struct NotAMoment(String);

impl Time {
    /// Reads a time as parameters and filters give it: seconds since 1970 with an optional fraction, a date
    /// with or without a time of day, or a duration before `now`.
    pub fn from_filter(text: &str, now: Self) -> Result<Self, NotAMoment> {
        let moment = seconds(text)
            .or_else(|| ago(text).and_then(|ago| now.nanoseconds().checked_sub(ago)))
            .or_else(|| Self::from_str(text).ok().map(Self::nanoseconds))
            .or_else(|| calendar(text));
        moment.map(Self::from_nanoseconds).ok_or_else(|| NotAMoment(text.chars().take(64).collect()))
    }
}

fn seconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(SECOND_NS)?.checked_add(decimal(fraction)?)
}

/// Returns billionths from the digits after a point; later digits than the ninth do not count.
fn decimal(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{:0<9.9}", digits).parse().ok()
}

/// Reads a duration as Go writes it.
fn ago(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit: i64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND_NS,
            "m" => 60 * SECOND_NS,
            "h" => 3600 * SECOND_NS,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = i128::from(decimal(fraction)?) * i128::from(unit) / i128::from(SECOND_NS);
        let whole: i64 = whole.parse().ok()?;
        total = whole.checked_mul(unit)?.checked_add(total)?.checked_add(i64::try_from(fraction).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Reads a date, which is midnight, or a time of day without a zone, which is that of UTC.
fn calendar(text: &str) -> Option<i64> {
    let day = Date::parse(text.trim_end_matches('Z'), format_description!("[year]-[month]-[day]"))
        .map(Date::midnight);
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let moment = day.or_else(|_| PrimitiveDateTime::parse(text, format)).ok()?;
    i64::try_from(moment.assume_utc().unix_timestamp_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_docker_does() {
        let now = Time::from_nanoseconds(10_000 * SECOND_NS);
        let read = |text: &str| Time::from_filter(text, now).map(Time::nanoseconds);

        for (text, nanoseconds) in [
            ("1700000000", 1_700_000_000 * SECOND_NS),
            ("1.5", 1_500_000_000),
            ("1.000000001", 1_000_000_001),
            ("10s", 9_990 * SECOND_NS),
            ("1h30m", (10_000 - 5_400) * SECOND_NS),
            ("1.5h", (10_000 - 5_400) * SECOND_NS),
            ("1500ms", 9_998_500_000_000),
            ("1970-01-02", 86_400 * SECOND_NS),
            ("1970-01-02T00:00:01", 86_401 * SECOND_NS),
            ("1970-01-02T00:00:01.5Z", 86_401 * SECOND_NS + SECOND_NS / 2),
            ("1970-01-02T01:00:00+01:00", 86_400 * SECOND_NS),
        ] {
            assert_eq!(read(text), Ok(nanoseconds), "{text}");
        }
        for bad in ["", "x", "1.x", "5d", "h", "1h1", "99999999999999h", "1970-13-01"] {
            assert_eq!(read(bad), Err(NotAMoment(bad.into())), "{bad}");
        }
    }
}
