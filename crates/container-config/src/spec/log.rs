//! How much of a container's output is kept.

use container::LogOptions;
use container_json::LogConfig;

use crate::Error;
use crate::mounts::format_bytes;

/// The drivers that are known; but for the last, they keep the output on this host, in one and the same way.
pub const LOG_DRIVERS: &[&str] = &["json-file", "local", NONE];
/// The driver that keeps nothing.
const NONE: &str = "none";

/// Tells whether no output is kept.
pub(super) fn is_discarded(config: &LogConfig) -> bool {
    config.kind == NONE
}

/// Reads the options, or refuses what is not known.
pub(super) fn options(config: &LogConfig) -> Result<LogOptions, Error> {
    let driver = if config.kind.is_empty() { LOG_DRIVERS[0] } else { &config.kind };
    if !LOG_DRIVERS.contains(&driver) {
        return Err(Error::invalid(format!("logger: no log driver named '{driver}' is registered")));
    }
    let mut options = LogOptions::default();
    for (key, value) in &config.config {
        let refuse = || Error::invalid(format!("invalid value for '{key}': {value}"));
        match key.as_str() {
            "max-size" if value == "-1" => {}
            "max-size" => options.max_size_bytes = Some(format_bytes(value).ok_or_else(refuse)?),
            "max-file" => {
                let count = value.parse().map_err(|_| refuse())?;
                if count < 1 {
                    return Err(Error::invalid("max-file cannot be less than 1"));
                }
                options.max_files = Some(count);
            }
            // What these ask for is kept or shown in other ways, or is a matter of speed alone.
            "compress" | "mode" | "max-buffer-size" | "labels" | "labels-regex" | "env" | "env-regex"
            | "tag" => {}
            other => {
                return Err(Error::invalid(format!("unknown log opt '{other}' for {driver} log driver")));
            }
        }
    }
    if options.max_files.is_some_and(|files| files > 1) && options.max_size_bytes.is_none() {
        return Err(Error::invalid("max-size must be specified when max-file is larger than 1"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(driver: &str, written: &[(&str, &str)]) -> Result<LogOptions, Error> {
        let config = written.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        options(&LogConfig { kind: driver.to_owned(), config })
    }

    #[test]
    fn known_options_are_read() {
        let kept = LogOptions { max_size_bytes: Some(10 << 20), max_files: Some(3) };

        assert_eq!(read("", &[("max-size", "10m"), ("max-file", "3")]), Ok(kept));
        assert_eq!(read("local", &[("compress", "true")]), Ok(LogOptions::default()));
    }

    #[test]
    fn unknown_ones_are_refused_in_dockers_words() {
        for (driver, option, said) in [
            ("syslog", ("tag", "x"), "logger: no log driver named 'syslog' is registered"),
            ("", ("max-fil", "3"), "unknown log opt 'max-fil' for json-file log driver"),
            ("", ("max-size", "many"), "invalid value for 'max-size': many"),
            ("", ("max-file", "0"), "max-file cannot be less than 1"),
            ("", ("max-file", "3"), "max-size must be specified when max-file is larger than 1"),
        ] {
            assert_eq!(read(driver, &[option]).unwrap_err().text(), said);
        }
    }
}
