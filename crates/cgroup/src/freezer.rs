//! Stops all processes of a container where they are, and lets them go on.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Cgroups;

/// A process that sleeps in the kernel where it cannot be stopped may keep its container from freezing.
const FREEZE_DEADLINE: Duration = Duration::from_secs(10);
/// Version 1 does not tell when it has frozen a cgroup, and may need to be asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// The file that freezes a container's cgroup.
enum Freezer {
    Version1 { state: PathBuf },
    Version2 { freeze: PathBuf, events: PathBuf },
}

impl Cgroups {
    /// Stops all processes and waits until they stand still; if they do not, they go on.
    pub fn freeze(&self) -> io::Result<()> {
        let freezer = self.freezer()?;
        freezer.freeze().inspect_err(|_| {
            // The first error tells what is wrong.
            let _ = freezer.thaw();
        })
    }

    /// Lets all processes go on; fine if they do, or if none is left.
    pub fn thaw(&self) -> io::Result<()> {
        match self.freezer()?.thaw() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Returns whether they were told to stand still.
    pub fn is_frozen(&self) -> bool {
        self.freezer().is_ok_and(|freezer| match freezer {
            Freezer::Version1 { state } => read(&state).is_ok_and(|state| state != "THAWED"),
            Freezer::Version2 { freeze, .. } => read(&freeze).is_ok_and(|state| state == "1"),
        })
    }

    /// Version 2 first where both are: a process it holds can still be killed.
    fn freezer(&self) -> io::Result<Freezer> {
        let of_version_2 = self.version_2().map(|cgroup| cgroup.dir);
        if let Some(dir) = of_version_2.filter(|dir| dir.join("cgroup.freeze").exists()) {
            return Ok(Freezer::Version2 {
                freeze: dir.join("cgroup.freeze"),
                events: dir.join("cgroup.events"),
            });
        }
        match self.dir("freezer") {
            Some(dir) => Ok(Freezer::Version1 { state: dir.join("freezer.state") }),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "this host has no freezer for cgroups")),
        }
    }
}

impl Freezer {
    fn freeze(&self) -> io::Result<()> {
        let end = Instant::now() + FREEZE_DEADLINE;
        match self {
            Freezer::Version1 { state } => loop {
                write(state, "FROZEN")?;
                if read(state)? == "FROZEN" {
                    return Ok(());
                }
                if Instant::now() >= end {
                    return Err(late(state));
                }
                std::thread::sleep(ASK_AGAIN_AFTER);
            },
            Freezer::Version2 { freeze, events } => {
                let file = File::open(events)?;
                write(freeze, "1")?;
                await_event(file, "frozen 1", end)?.then_some(()).ok_or_else(|| late(events))
            }
        }
    }

    fn thaw(&self) -> io::Result<()> {
        match self {
            Freezer::Version1 { state } => write(state, "THAWED"),
            Freezer::Version2 { freeze, .. } => write(freeze, "0"),
        }
    }
}

/// Waits until a file of events has a line; returns false if it is too late.
fn await_event(mut file: File, line: &str, end: Instant) -> io::Result<bool> {
    loop {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        if text.lines().any(|found| found == line) {
            return Ok(true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLPRI)], timeout)?;
    }
}

fn late(file: &Path) -> io::Error {
    let seconds = FREEZE_DEADLINE.as_secs();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("{} does not say frozen after {seconds} s", file.display()),
    )
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

fn read(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}
