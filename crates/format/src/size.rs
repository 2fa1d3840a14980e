//! Sizes as the docker CLI reads and writes them.

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid size: '{0}'")]
pub struct Error(String);

/// Reads a size such as `64m` or `1.5GiB`, in units of 1024.
pub fn parse(text: &str) -> Result<i64, Error> {
    let refuse = || Error(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| refuse())?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(refuse()),
    };
    let bytes = number * (1_i64 << shift) as f64;
    if bytes < i64::MAX as f64 { Ok(bytes as i64) } else { Err(refuse()) }
}

/// Writes a size in units of 1000 with three digits: `188MB`.
pub fn decimal(bytes: i64) -> String {
    decimal_of(bytes, 3)
}

/// Writes a size in units of 1000 with so many digits.
pub fn decimal_of(bytes: i64, digits: usize) -> String {
    scaled(bytes, 1000.0, digits, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Writes a size in units of 1024 with four digits: `7.721GiB`.
pub fn binary(bytes: i64) -> String {
    scaled(bytes, 1024.0, 4, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn scaled(bytes: i64, base: f64, digits: usize, units: &[&str]) -> String {
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    format!("{}{}", significant(size, digits), units[unit])
}

/// Writes a number with so many significant digits and no zeros at the end, as Go's `%.4g` does below 10000.
fn significant(number: f64, digits: usize) -> String {
    let whole = if number < 1.0 { 1 } else { number.log10() as usize + 1 };
    let text = format!("{number:.0$}", digits.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        for (bytes, told) in [
            (0, "0B"),
            (5, "5B"),
            (1234, "1.23kB"),
            (187_654_321, "188MB"),
            (56_789_000, "56.8MB"),
            (1_000, "1kB"),
        ] {
            assert_eq!(decimal(bytes), told);
        }
        for (bytes, told) in [(8_290_000_000, "7.721GiB"), (64 << 20, "64MiB"), (1023, "1023B")] {
            assert_eq!(binary(bytes), told);
        }
        for (text, bytes) in
            [("64m", 64 << 20), ("1.5g", 3 << 29), ("10", 10), ("1KiB", 1024), ("2 MB", 2 << 20)]
        {
            assert_eq!(parse(text).unwrap(), bytes);
        }
        for bad in ["", "x", "5x", "-1", "1e9"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
