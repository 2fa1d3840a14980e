//! The container's terminal: libcontainer makes it inside and sends its master side over a socket.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::{Uid, fchown};

use crate::kernel;

/// Waits for the terminal's master side.
pub(crate) struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Console {
    pub(crate) fn open(runtime: &Path) -> io::Result<Console> {
        let path = runtime.join("console.sock");
        // The address may be too long when written out.
        let dir = fs::File::open(runtime)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/console.sock", dir.as_raw_fd()))?;
        Ok(Console { listener, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the master side, once the process is made, and gives the terminal to the user it runs as.
    pub(crate) fn take(self, uid: u32) -> io::Result<OwnedFd> {
        let master = self.receive()?;
        if uid != 0 {
            // Programs open /dev/stdout by its name.
            fchown(kernel::terminal_of(&master)?, Some(Uid::from_raw(uid)), None)?;
        }
        Ok(master)
    }

    fn receive(self) -> io::Result<OwnedFd> {
        let (stream, _) = self.listener.accept()?;
        fs::remove_file(&self.path)?;
        let mut text = [0u8; 256];
        let mut space = cmsg_space!([std::os::fd::RawFd; 1]);
        let mut parts = [IoSliceMut::new(&mut text)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control
                && let Some(fd) = fds.first()
            {
                // SAFETY: the kernel has just made this descriptor for us.
                return Ok(unsafe { kernel::inherited(*fd) });
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "no terminal was sent"))
    }
}
