//! Writes a container's log: splits output into lines, rotates files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{LogStream, encode};
use crate::LogOptions;

/// Longer lines are cut into parts of this size, as Docker does.
const PART_BYTES: usize = 16 * 1024;

/// Appends entries to the current file and rotates it when it is full.
pub struct Writer {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    max_size_bytes: Option<u64>,
    max_files: u32,
    pending: Vec<u8>,
}

impl Writer {
    /// Opens the current file, or begins it.
    pub fn open(path: PathBuf, options: &LogOptions) -> io::Result<Writer> {
        let file = append(&path)?;
        let size_bytes = file.metadata()?.len();
        let LogOptions { max_size_bytes, max_files } = *options;
        let max_files = max_files.unwrap_or(1).max(1);
        Ok(Writer { path, file, size_bytes, max_size_bytes, max_files, pending: Vec::new() })
    }

    /// Writes the pieces in one go. A full disk loses lines; it must not stop the container.
    pub(crate) fn write<'a>(&mut self, stream: LogStream, pieces: impl Iterator<Item = &'a [u8]>) {
        let at = SystemTime::now();
        for piece in pieces {
            let before = self.pending.len();
            encode(&mut self.pending, stream, at, piece);
            let full =
                self.max_size_bytes.is_some_and(|max| self.size_bytes + self.pending.len() as u64 > max);
            if full && self.size_bytes + before as u64 > 0 {
                let entry = self.pending.split_off(before);
                self.flush();
                self.rotate();
                self.pending = entry;
            }
        }
        self.flush();
        self.pending = Vec::new();
    }

    fn flush(&mut self) {
        match self.file.write_all(&self.pending) {
            Ok(()) => self.size_bytes += self.pending.len() as u64,
            Err(error) => eprintln!("write log {}: {error}", self.path.display()),
        }
        self.pending.clear();
    }

    fn rotate(&mut self) {
        if let Err(error) = self.try_rotate() {
            eprintln!("rotate log {}: {error}", self.path.display());
        }
    }

    fn try_rotate(&mut self) -> io::Result<()> {
        for number in (1..self.max_files).rev() {
            let newer = if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            match fs::rename(newer, numbered(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if self.max_files == 1 {
            fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.size_bytes = 0;
        Ok(())
    }
}

/// Returns the path of an older file; 1 is the latest of them.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Cuts a stream of bytes into lines and parts of long lines.
#[derive(Default)]
pub struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    /// Takes what was read and hands on every complete piece.
    pub fn push(&mut self, bytes: &[u8], writer: &mut Writer, stream: LogStream) -> bool {
        self.rest.extend_from_slice(bytes);
        let mut cuts = Vec::new();
        let mut from = 0;
        loop {
            let window = &self.rest[from..self.rest.len().min(from + PART_BYTES)];
            let length = match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if window.len() == PART_BYTES => PART_BYTES,
                None => break,
            };
            cuts.push(from..from + length);
            from += length;
        }
        writer.write(stream, cuts.iter().map(|cut| &self.rest[cut.clone()]));
        self.rest.drain(..from);
        if self.rest.is_empty() {
            // A silent container's shim keeps no buffer.
            self.rest = Vec::new();
        }
        !cuts.is_empty()
    }

    /// Hands on what has no line end.
    pub fn finish(&mut self, writer: &mut Writer, stream: LogStream) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            writer.write(stream, std::iter::once(rest.as_slice()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read(path).unwrap();
        text.split_inclusive(|b| *b == b'\n').map(|line| decode(line).unwrap().line).collect()
    }

    #[test]
    fn lines_are_split_and_long_ones_come_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json.log");
        let mut writer = Writer::open(path.clone(), &LogOptions::default()).unwrap();
        let mut splitter = Splitter::default();
        let long = "x".repeat(PART_BYTES + 5);

        splitter.push(b"one\ntw", &mut writer, LogStream::Stdout);
        splitter.push(format!("o\n{long}\nend").as_bytes(), &mut writer, LogStream::Stdout);
        splitter.finish(&mut writer, LogStream::Stdout);

        let expected = ["one\n", "two\n", &long[..PART_BYTES], "xxxxx\n", "end"];
        assert_eq!(lines(&path), expected);
    }

    #[test]
    fn full_file_is_rotated_and_the_oldest_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json.log");
        let options = LogOptions { max_size_bytes: Some(200), max_files: Some(2) };
        let mut writer = Writer::open(path.clone(), &options).unwrap();

        for number in 0..12 {
            Splitter::default().push(format!("line {number}\n").as_bytes(), &mut writer, LogStream::Stdout);
        }

        assert_eq!(lines(&path).last().unwrap(), "line 11\n");
        assert!(!lines(&numbered(&path, 1)).is_empty());
        assert!(!numbered(&path, 2).exists());
        assert!(fs::metadata(&path).unwrap().len() <= 200);
    }

    #[test]
    fn one_file_is_emptied_when_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json.log");
        let options = LogOptions { max_size_bytes: Some(200), max_files: None };
        let mut writer = Writer::open(path.clone(), &options).unwrap();

        let all: String = (0..9).map(|number| format!("line {number}\n")).collect();
        Splitter::default().push(all.as_bytes(), &mut writer, LogStream::Stdout);

        assert_eq!(lines(&path).last().unwrap(), "line 8\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
