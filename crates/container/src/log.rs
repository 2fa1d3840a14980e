//! Reads a container's log from its files, and goes on as it grows.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use shim::log::writer::numbered;
use shim::log::{LogLine, LogStream, decode};

/// Which lines of a log are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Goes on with lines to come until the container ends.
    pub follow: bool,
    /// Only the last so many lines of those that exist.
    pub tail: Option<usize>,
    /// Only lines from this time on.
    pub since: Option<SystemTime>,
    /// Lines of standard output.
    pub stdout: bool,
    /// Lines of standard error.
    pub stderr: bool,
}

impl Default for LogQuery {
    fn default() -> Self {
        LogQuery { follow: false, tail: None, since: None, stdout: true, stderr: true }
    }
}

impl LogQuery {
    fn wants(&self, line: &LogLine) -> bool {
        let stream = match line.stream {
            LogStream::Stdout => self.stdout,
            LogStream::Stderr => self.stderr,
        };
        stream && self.since.is_none_or(|since| line.at >= since)
    }
}

/// A place in the log that moves forward over rotations.
pub(crate) struct Reader {
    path: PathBuf,
    query: LogQuery,
    file: Option<BufReader<File>>,
    /// The beginning of an entry whose end is not written yet.
    partial: Vec<u8>,
    /// The wanted last lines of what existed at first; none before the first look.
    tail: Option<VecDeque<LogLine>>,
}

impl Reader {
    pub(crate) fn open(path: PathBuf, query: LogQuery) -> Reader {
        Reader { path, query, file: None, partial: Vec::new(), tail: None }
    }

    /// Returns at most `max` further lines, oldest first; none if there are none yet.
    pub(crate) fn batch(&mut self, max: usize) -> io::Result<Vec<LogLine>> {
        if self.tail.is_none() {
            self.tail = Some(self.look_at_tail()?);
        }
        let mut lines: Vec<LogLine> =
            self.tail.iter_mut().flat_map(|tail| tail.drain(..tail.len().min(max))).collect();
        while lines.len() < max
            && let Some(line) = self.next()?
        {
            lines.push(line);
        }
        Ok(lines)
    }

    fn look_at_tail(&mut self) -> io::Result<VecDeque<LogLine>> {
        let mut last = VecDeque::new();
        let Some(tail) = self.query.tail else { return Ok(last) };
        while let Some(line) = self.next()? {
            last.push_back(line);
            if last.len() > tail {
                last.pop_front();
            }
        }
        Ok(last)
    }

    /// Returns the next wanted line; none at the end of what is written.
    fn next(&mut self) -> io::Result<Option<LogLine>> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(file) = oldest(&self.path)? else { return Ok(None) };
                self.file = Some(BufReader::new(file));
                continue;
            };
            if file.read_until(b'\n', &mut self.partial)? == 0 {
                // Looked up before the last look into this file: what was appended before the rotation comes first.
                let Some(next) = successor(&self.path, file.get_ref())? else { return Ok(None) };
                if file.fill_buf()?.is_empty() {
                    self.partial.clear();
                    self.file = Some(BufReader::new(next));
                }
                continue;
            }
            if self.partial.last() != Some(&b'\n') {
                continue;
            }
            let line = decode(&self.partial);
            self.partial.clear();
            if let Some(line) = line.filter(|line| self.query.wants(line)) {
                return Ok(Some(line));
            }
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn oldest(path: &Path) -> io::Result<Option<File>> {
    let mut found = open(path)?;
    for number in 1.. {
        match open(&numbered(path, number))? {
            Some(file) => found = Some(file),
            None => break,
        }
    }
    Ok(found)
}

/// Returns the file written after this one; none if this is the current one.
fn successor(path: &Path, file: &File) -> io::Result<Option<File>> {
    let own = file.metadata()?.ino();
    let mut newer = None;
    let mut at = open(path)?;
    let mut number = 0;
    while let Some(file) = at {
        if file.metadata()?.ino() == own {
            return Ok(newer);
        }
        newer = Some(file);
        number += 1;
        at = open(&numbered(path, number))?;
    }
    // It was dropped; the oldest that remains comes next.
    Ok(newer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shim::LogOptions;
    use shim::log::writer::{Splitter, Writer};

    fn say(writer: &mut Writer, stream: LogStream, text: &str) {
        Splitter::default().push(text.as_bytes(), writer, stream);
    }

    fn texts(reader: &mut Reader) -> String {
        let mut all = String::new();
        loop {
            let lines = reader.batch(2).unwrap();
            if lines.is_empty() {
                return all;
            }
            all.extend(lines.into_iter().map(|line| line.line));
        }
    }

    #[test]
    fn reader_goes_on_over_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json.log");
        let options = LogOptions { max_size_bytes: Some(150), max_files: Some(3) };
        let mut writer = Writer::open(path.clone(), &options).unwrap();
        let mut reader = Reader::open(path, LogQuery::default());

        say(&mut writer, LogStream::Stdout, "a\nb\n");
        let first = texts(&mut reader);
        say(&mut writer, LogStream::Stdout, "c\nd\ne\nf\n");
        let second = texts(&mut reader);

        assert_eq!((first.as_str(), second.as_str()), ("a\nb\n", "c\nd\ne\nf\n"));
    }

    #[test]
    fn tail_stream_and_since_choose_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json.log");
        let mut writer = Writer::open(path.clone(), &LogOptions::default()).unwrap();
        say(&mut writer, LogStream::Stdout, "1\n2\n");
        say(&mut writer, LogStream::Stderr, "x\n");
        say(&mut writer, LogStream::Stdout, "3\n");
        let read = |query: LogQuery| texts(&mut Reader::open(path.clone(), query));

        assert_eq!(read(LogQuery { tail: Some(2), ..LogQuery::default() }), "x\n3\n");
        assert_eq!(read(LogQuery { tail: Some(0), ..LogQuery::default() }), "");
        assert_eq!(read(LogQuery { stderr: false, ..LogQuery::default() }), "1\n2\n3\n");
        assert_eq!(read(LogQuery { since: Some(SystemTime::now()), ..LogQuery::default() }), "");
    }

    #[test]
    fn missing_log_is_empty() {
        let dir = tempfile::tempdir().unwrap();

        assert_eq!(texts(&mut Reader::open(dir.path().join("json.log"), LogQuery::default())), "");
    }
}
