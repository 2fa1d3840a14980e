//! The next segment, laid out in zeros before it is needed.
//!
//! Writing into blocks that exist costs no more than the data itself, and a full disk shows here,
//! ahead of time, rather than in the middle of a write that was already promised.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Error;
use super::folder::remove;

/// How long after a failure the next try waits.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Prepares one file in the background.
pub(crate) struct Spare {
    path: PathBuf,
    bytes: usize,
    state: State,
}

enum State {
    Building(JoinHandle<Result<File, Error>>),
    Ready(File),
    Failed(Error, Instant),
}

impl Spare {
    /// Starts to lay out `path`.
    pub fn prepare(path: PathBuf, bytes: usize) -> Self {
        let state = build(&path, bytes);
        Self { path, bytes, state }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the file is there or on its way; tries again after a failure.
    pub fn is_promising(&mut self) -> bool {
        if let State::Building(handle) = &self.state
            && !handle.is_finished()
        {
            return true;
        }
        self.settle();
        match &self.state {
            State::Failed(error, since) if since.elapsed() >= RETRY_AFTER => {
                tracing::warn!(%error, "the next file of the log cannot be laid out; writes are refused");
                self.state = build(&self.path, self.bytes);
                false
            }
            State::Failed(..) => false,
            State::Building(_) | State::Ready(_) => true,
        }
    }

    /// Takes the finished file, waiting for it if need be, and leaves a failure to be tried again.
    pub fn take(&mut self) -> Result<File, Error> {
        if let State::Failed(..) = self.state {
            self.state = build(&self.path, self.bytes);
        }
        self.settle();
        let next = State::Failed(Error::Full { path: self.path.clone() }, Instant::now());
        match std::mem::replace(&mut self.state, next) {
            State::Ready(file) => Ok(file),
            State::Failed(error, _) => Err(error),
            State::Building(_) => unreachable!("settle leaves nothing building"),
        }
    }

    /// Lays out the file anew, after the former one got its name and is out of the way.
    pub fn renew(&mut self) {
        self.settle();
        self.state = build(&self.path, self.bytes);
    }

    fn settle(&mut self) {
        let placeholder = State::Failed(Error::Full { path: self.path.clone() }, Instant::now());
        self.state = match std::mem::replace(&mut self.state, placeholder) {
            State::Building(handle) => match handle.join() {
                Ok(Ok(file)) => State::Ready(file),
                Ok(Err(error)) => State::Failed(error, Instant::now()),
                Err(_) => {
                    let source = std::io::Error::other("the thread that lays it out panicked");
                    State::Failed(Error::io("lay out", &self.path)(source), Instant::now())
                }
            },
            settled => settled,
        };
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.settle();
        let _ = remove(&self.path);
    }
}

fn build(path: &Path, bytes: usize) -> State {
    let path = path.to_path_buf();
    let builder = std::thread::Builder::new().name("drover-log-spare".into());
    let failed = path.clone();
    match builder.spawn(move || lay_out(&path, bytes)) {
        Ok(handle) => State::Building(handle),
        Err(source) => State::Failed(Error::io("start a thread for", &failed)(source), Instant::now()),
    }
}

/// Writes zeros: real blocks on every file system, unlike a reservation.
pub(crate) fn lay_out(path: &Path, bytes: usize) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(true);
    let written = options.open(path).map_err(Error::io("create", path)).and_then(|mut file| {
        let zeros = vec![0; 256 << 10];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(zeros.len());
            file.write_all(&zeros[..part]).map_err(Error::io("lay out", path))?;
            left -= part;
        }
        file.sync_all().map_err(Error::io("sync", path))?;
        Ok(file)
    });
    if written.is_err() {
        // Half a spare would keep the very space that others need to recover.
        let _ = remove(path);
    }
    written
}
