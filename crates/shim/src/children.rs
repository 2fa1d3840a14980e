//! Tells when children of the shim have ended.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

/// A child that has ended, and its exit code; 128 + n after signal n.
pub(crate) type Ended = (i32, i32);

/// Watches all children.
pub(crate) struct Children(SignalFd);

impl Children {
    pub(crate) fn watch() -> io::Result<Children> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        Ok(Children(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// Reaps all that have ended.
    pub(crate) fn reap(&self) -> Vec<Ended> {
        // Read first: whoever ends from here on raises the signal again.
        let _ = self.0.read_signal();
        std::iter::from_fn(reap_one).collect()
    }
}

impl AsFd for Children {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn reap_one() -> Option<Ended> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid.as_raw(), code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => return Some((pid.as_raw(), 128 + signal as i32)),
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            // There are none.
            Err(_) => return None,
        }
    }
}
