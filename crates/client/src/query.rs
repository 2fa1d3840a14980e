//! What flags ask for, in the words of the API.

use anyhow::{Result, bail};
use engine_json::Time;
use format::duration;

use crate::Error;

/// Says "no such KIND: NAME" where the daemon answers 404.
pub fn or_missing<T>(answer: Result<T, Error>, kind: &str, name: &str) -> Result<T> {
    match answer {
        Err(error) if error.is_not_found() => bail!("no such {kind}: {name}"),
        other => Ok(other?),
    }
}

/// Reads `--filter key=value` flags.
pub fn filters(flags: &[String]) -> Result<engine_json::Filters> {
    let mut filters = engine_json::Filters::default();
    for flag in flags {
        let Some((key, value)) = flag.split_once('=') else {
            bail!(
                "invalid argument {flag:?} for \"-f, --filter\" flag: filter must be in the form key=value"
            );
        };
        filters.add(key.trim().to_ascii_lowercase(), value.trim());
    }
    Ok(filters)
}

/// Reads a time: seconds since 1970, a date, or how long ago; returns it as the API wants it.
pub fn moment(text: &str, now: Time) -> Result<String> {
    if text.parse::<f64>().is_ok_and(|number| number >= 0.0) {
        return Ok(text.to_owned());
    }
    if let Ok(ago) = duration::parse(text) {
        return Ok(seconds(now.nanoseconds().saturating_sub(ago)));
    }
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    Ok(seconds(full.parse::<Time>()?.nanoseconds()))
}

fn seconds(nanoseconds: i64) -> String {
    format!("{}.{:09}", nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_in_every_form() {
        let now = Time::from_nanoseconds(1_700_000_000_000_000_000);

        for (text, expected) in [
            ("1600000000", "1600000000"),
            ("10m", "1699999400.000000000"),
            ("2020-01-01", "1577836800.000000000"),
            ("2020-01-01T00:00", "1577836800.000000000"),
            ("2020-01-01T00:00:00", "1577836800.000000000"),
            ("2020-01-01T01:00:00.5+01:00", "1577836800.500000000"),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected);
        }
        assert!(moment("soon", now).is_err());
    }
}
