//! Durations as Go writes and reads them, and how long ago something was.

use std::time::Duration;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not made of numbers and units, or too long.
    #[error("time: invalid duration {text:?}")]
    Unreadable {
        /// The text.
        text: String,
    },
    /// A number stands without a unit.
    #[error("time: missing unit in duration {text:?}")]
    MissingUnit {
        /// The text.
        text: String,
    },
    /// A unit is not one of Go's.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The text.
        text: String,
    },
}

const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Reads a duration such as `1h30m` or `500ms`, as nanoseconds.
pub fn parse(text: &str) -> Result<i64, Error> {
    let unreadable = || Error::Unreadable { text: text.to_owned() };
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(unreadable());
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let letters =
            rest[digits..].find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len() - digits);
        let unit = &rest[digits..digits + letters];
        let Ok(number) = rest[..digits].parse::<f64>() else { return Err(unreadable()) };
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let text = text.to_owned();
            return Err(match unit {
                "" => Error::MissingUnit { text },
                unit => Error::UnknownUnit { unit: unit.to_owned(), text },
            });
        };
        nanoseconds += number * factor;
        rest = &rest[digits + letters..];
    }
    let nanoseconds = (sign * nanoseconds).round();
    if nanoseconds.abs() >= i64::MAX as f64 {
        return Err(unreadable());
    }
    Ok(nanoseconds as i64)
}

/// Writes nanoseconds as Go does: `1h0m5s`, `1.5s`, `500ms`.
pub fn show(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".into();
    }
    if total < 1_000_000_000 {
        let (unit, name) = match total {
            1_000_000.. => (1e6, "ms"),
            1_000.. => (1e3, "µs"),
            _ => (1.0, "ns"),
        };
        return format!("{sign}{}{name}", total as f64 / unit);
    }
    let (hours, minutes) = (total / 3_600_000_000_000, total / 60_000_000_000 % 60);
    let seconds = (total % 60_000_000_000) as f64 / 1e9;
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Writes a time in UTC as Go prints one: `2006-01-02T15:04:05.5Z` becomes `2006-01-02 15:04:05.5 +0000 UTC`.
pub fn go_time(utc: &str) -> String {
    utc.replace('T', " ").replace('Z', " +0000 UTC")
}

/// Tells a length of time to a person, as Docker does: `About a minute`, `3 days`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, (duration.as_secs_f64() / 3600.0).round() as u64);
    match (seconds, minutes, hours) {
        (0, _, _) => "Less than a second".into(),
        (1, _, _) => "1 second".into(),
        (2..60, _, _) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".into(),
        (_, _, 2..48) => format!("{hours} hours"),
        (_, _, 48..336) => format!("{} days", hours / 24),
        (_, _, 336..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, 1440..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_as_in_go() {
        for (text, nanoseconds, shown) in [
            ("5s", 5_000_000_000, "5s"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("500ms", 500_000_000, "500ms"),
            ("90s", 90_000_000_000, "1m30s"),
            ("-1s", -1_000_000_000, "-1s"),
            ("2160h0m0s", 7_776_000_000_000_000, "2160h0m0s"),
            ("10us", 10_000, "10µs"),
        ] {
            assert_eq!(parse(text).unwrap(), nanoseconds, "{text}");
            assert_eq!(show(nanoseconds), shown);
        }
        for bad in ["", "5", "s", "5x", "1h5", "-", "999999999999h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_of_time_are_told_as_docker_does() {
        for (seconds, told) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (2 * 86400, "2 days"),
            (14 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), told, "{seconds}");
        }
    }
}
