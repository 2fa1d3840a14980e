//! The container's log: Docker's json-file format, one JSON object per line.

pub mod writer;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Which stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which stream it was written to.
    pub stream: LogStream,
    /// When the shim read it.
    pub at: SystemTime,
    /// The text with its line end; without one it is a part of a longer line, or the last words.
    pub line: String,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    log: std::borrow::Cow<'a, str>,
    stream: LogStream,
    time: std::borrow::Cow<'a, str>,
}

/// Appends the entry of one piece of output to `out`.
fn encode(out: &mut Vec<u8>, stream: LogStream, at: SystemTime, text: &[u8]) {
    let entry = Entry { log: String::from_utf8_lossy(text), stream, time: nanoseconds(at).into() };
    serde_json::to_writer(&mut *out, &entry).expect("strings always have a JSON form");
    out.push(b'\n');
}

/// Reads an entry back; none if it is damaged.
pub fn decode(line: &[u8]) -> Option<LogLine> {
    let Entry { log, stream, time } = serde_json::from_slice(line).ok()?;
    let at = OffsetDateTime::parse(&time, &Rfc3339).ok()?;
    Some(LogLine { stream, at: at.into(), line: log.into_owned() })
}

/// Writes a time as Go's `RFC3339Nano` does: UTC, without closing zeros.
fn nanoseconds(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let time = OffsetDateTime::from_unix_timestamp(since.as_secs() as i64)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(UtcOffset::UTC);
    let (date, clock) = (time.date(), time.time());
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    if since.subsec_nanos() != 0 {
        text.push_str(format!(".{:09}", since.subsec_nanos()).trim_end_matches('0'));
    }
    text + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_dockers_form() {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_000);
        let mut out = Vec::new();

        encode(&mut out, LogStream::Stderr, at, b"say \"hi\"\xff\n");

        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"log\":\"say \\\"hi\\\"\u{fffd}\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:20.12Z\"}\n"
        );
        let line = decode(text.as_bytes()).unwrap();
        assert_eq!((line.stream, line.at), (LogStream::Stderr, at));
    }

    #[test]
    fn whole_seconds_have_no_fraction() {
        assert_eq!(nanoseconds(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }
}
