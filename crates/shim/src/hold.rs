//! A shim's hold on its container: a lock on what it says on its standard error, which lasts exactly as long as it lives.
//!
//! So a later process knows of a shim that cannot be talked to yet, and none begins what is being taken away. Children
//! do not inherit a lock of this kind.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::place::Place;

/// Takes hold with an opened file; returns false if somebody else has it.
pub(crate) fn take(file: impl AsFd) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&whole_file())) {
        Ok(_) => Ok(true),
        Err(Errno::EACCES | Errno::EAGAIN) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a container has a shim, somewhere between its first and its last step.
#[derive(Debug)]
pub enum Hold {
    /// It has none, and gets none as long as this file is open.
    Free(Option<File>),
    /// It has one, with this number.
    Shim(i32),
}

/// Looks for a container's shim, and keeps another from beginning if there is none.
pub fn hold(place: &Place) -> io::Result<Hold> {
    let file = match OpenOptions::new().write(true).open(place.complaints()) {
        Ok(file) => file,
        // Made before the first shim.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hold::Free(None)),
        Err(error) => return Err(error),
    };
    loop {
        if take(&file)? {
            return Ok(Hold::Free(Some(file)));
        }
        let mut found = whole_file();
        fcntl(&file, FcntlArg::F_GETLK(&mut found))?;
        if libc::c_int::from(found.l_type) != libc::F_UNLCK {
            return Ok(Hold::Shim(found.l_pid));
        }
    }
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
