//! What containers have said, as clients of the API read it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use container::{LogLine, LogQuery, LogStream};
use container_json::LogConfig;
use engine_json::{Channel, Frame, Labels, Time};
use tokio::sync::mpsc;

use crate::life::Step;
use crate::{Engine, Error, Kind};

/// The driver that keeps nothing.
const NOWHERE: &str = "none";

/// Which lines are wanted, and how they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsWanted {
    /// Goes on with lines to come until the container ends.
    pub follow: bool,
    /// Lines of standard output.
    pub stdout: bool,
    /// Lines of standard error.
    pub stderr: bool,
    /// Only lines from this time on.
    pub since: Option<Time>,
    /// Only lines up to this time.
    pub until: Option<Time>,
    /// Only the last so many lines of those that exist.
    pub tail: Option<usize>,
    /// Begins each line with its time.
    pub timestamps: bool,
    /// Begins each line with the labels and variables that the log's options name.
    pub details: bool,
}

/// Lines on their way to a client.
pub struct Logs {
    lines: mpsc::Receiver<LogLine>,
    written: Written,
    until: Option<SystemTime>,
}

/// How a line is written.
struct Written {
    /// Whether the container has a terminal, whose output has no frames.
    is_raw: bool,
    timestamps: bool,
    /// What stands before each line.
    details: Option<String>,
}

impl Engine {
    /// Reads the log of a container.
    pub fn logs(&self, name: &str, wanted: &LogsWanted) -> Result<Logs, Error> {
        if !wanted.stdout && !wanted.stderr {
            return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
        }
        let entry = self.entry(name)?;
        let (config, log) = {
            let record = entry.record();
            (record.config.clone(), record.host_config.log_config.clone())
        };
        if log.kind == NOWHERE {
            return Err(Error::new(
                Kind::NotImplemented,
                "configured logging driver does not support reading",
            ));
        }
        let query = LogQuery {
            // What does not run says nothing more until somebody starts it.
            follow: wanted.follow && entry.life().step == Step::Running,
            tail: wanted.tail,
            since: wanted.since.map(system_time),
            stdout: wanted.stdout,
            stderr: wanted.stderr,
        };
        let written = Written {
            is_raw: config.tty,
            timestamps: wanted.timestamps,
            details: wanted.details.then(|| details(&log, &config.labels, &config.env)),
        };
        let lines = self.containers().logs(&entry.id, query)?;
        Ok(Logs { lines, written, until: wanted.until.map(system_time) })
    }
}

impl Logs {
    /// Tells whether these are plain bytes, because the container has a terminal.
    pub fn is_raw(&self) -> bool {
        self.written.is_raw
    }

    /// Returns the next piece as it is sent to the client; none after the last.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let line = match self.until {
            None => self.lines.recv().await?,
            Some(until) => {
                // What is there already comes first, however long ago the last moment is.
                let line = match self.lines.try_recv() {
                    Ok(line) => line,
                    Err(_) => {
                        let left = until.duration_since(SystemTime::now()).unwrap_or(GRACE);
                        tokio::time::timeout(left.max(GRACE), self.lines.recv()).await.ok()??
                    }
                };
                Some(line).filter(|line| line.at <= until)?
            }
        };
        Some(self.written.line(&line))
    }
}

/// How long lines that exist may take to be read from disk.
const GRACE: Duration = Duration::from_secs(1);

impl Written {
    fn line(&self, line: &LogLine) -> Vec<u8> {
        let mut text = String::new();
        if self.timestamps {
            let _ = write!(text, "{} ", fixed_width(line.at));
        }
        if let Some(details) = &self.details {
            let _ = write!(text, "{details} ");
        }
        text += &line.line;
        if self.is_raw {
            return text.into_bytes();
        }
        let channel = match line.stream {
            LogStream::Stdout => Channel::Stdout,
            LogStream::Stderr => Channel::Stderr,
        };
        Frame { channel, payload: text.as_bytes() }.encode()
    }
}

/// Returns the labels and variables that the options `labels` and `env` name, as they stand before a line.
fn details(log: &LogConfig, labels: &Labels, env: &[String]) -> String {
    let named = |option: &str| -> Vec<String> {
        let names = log.config.get(option).map_or("", String::as_str);
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let variables: BTreeMap<&str, &str> = env.iter().filter_map(|pair| pair.split_once('=')).collect();
    let mut found = BTreeMap::new();
    for name in named("labels") {
        if let Some(value) = labels.get(&name) {
            found.insert(name, value.as_str());
        }
    }
    for name in named("env") {
        if let Some(value) = variables.get(name.as_str()) {
            found.insert(name, value);
        }
    }
    let pairs: Vec<String> =
        found.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join(",")
}

/// Writes a text as it stands in the query of a URL.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            other => {
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

/// Writes a time with all its nine digits, so that lines stay in columns.
fn fixed_width(at: SystemTime) -> String {
    let text = crate::engine::json_time(at).to_string();
    let text = text.trim_end_matches('Z');
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<9}Z")
}

fn system_time(time: Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(time.nanoseconds()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: LogStream) -> LogLine {
        LogLine { stream, at: UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_000), line: "hi\n".into() }
    }

    fn written(is_raw: bool, timestamps: bool, details: Option<&str>) -> Vec<u8> {
        let details = details.map(str::to_owned);
        Written { is_raw, timestamps, details }.line(&line(LogStream::Stderr))
    }

    #[test]
    fn lines_are_written_as_docker_does() {
        assert_eq!(written(true, false, None), b"hi\n");
        assert_eq!(written(false, false, None), b"\x02\0\0\0\0\0\0\x03hi\n");
        for (timestamps, details, expected) in [
            (true, None, "2023-11-14T22:13:20.120000000Z hi\n"),
            (false, Some("a=b"), "a=b hi\n"),
            (true, Some(""), "2023-11-14T22:13:20.120000000Z  hi\n"),
        ] {
            assert_eq!(String::from_utf8(written(true, timestamps, details)).unwrap(), expected);
        }
        assert_eq!(fixed_width(UNIX_EPOCH + Duration::from_secs(1)), "1970-01-01T00:00:01.000000000Z");
    }

    #[test]
    fn details_are_those_that_options_name() {
        let labels: Labels = [("tier", "front end"), ("team", "a&b"), ("other", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let env = ["PATH=/bin", "MODE=dev=1", "EMPTY"].map(str::to_owned);
        for (named_labels, named_env, expected) in [
            ("", "", ""),
            ("tier,team", "", "team=a%26b,tier=front+end"),
            ("missing, tier", "MODE,EMPTY", "MODE=dev%3D1,tier=front+end"),
        ] {
            let config = [("labels", named_labels), ("env", named_env)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            let log = LogConfig { kind: "json-file".to_owned(), config };
            assert_eq!(details(&log, &labels, &env), expected);
        }
    }

    #[tokio::test]
    async fn lines_after_the_last_moment_are_left_out() {
        let (sender, lines) = mpsc::channel(4);
        let written = Written { is_raw: true, timestamps: false, details: None };
        let mut logs = Logs { lines, written, until: Some(line(LogStream::Stdout).at) };
        sender.send(line(LogStream::Stdout)).await.unwrap();
        let late = line(LogStream::Stdout);
        sender.send(LogLine { at: late.at + Duration::from_nanos(1), ..late }).await.unwrap();

        assert_eq!(logs.next().await.as_deref(), Some(&b"hi\n"[..]));
        assert_eq!(logs.next().await, None);
    }
}
