//! A hold on a process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::c_void;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::kernel::check;

/// A process that cannot be mistaken for another with the same number.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Takes hold of a process by its number.
    pub fn open(pid: i32) -> io::Result<Pidfd> {
        // SAFETY: no memory is passed; a descriptor that is returned is ours alone.
        let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
        // SAFETY: as above.
        Ok(Pidfd(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
    }

    /// Sends a signal by its number.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let none = std::ptr::null::<c_void>();
        // SAFETY: the kernel takes a null siginfo as "none", and the descriptor is open.
        check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, none, 0) })?;
        Ok(())
    }

    /// Waits until the process has ended; fine if it has not when the time is over.
    pub fn wait_ended(&self, deadline: Duration) -> io::Result<()> {
        let timeout = PollTimeout::try_from(deadline).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout)?;
        Ok(())
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
