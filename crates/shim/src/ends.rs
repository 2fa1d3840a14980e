//! The pipes that are a process's standard streams.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, fchown, pipe2};

use crate::user::User;

/// The shim's ends of a process's streams.
pub(crate) struct Ends {
    pub input: Option<OwnedFd>,
    /// Standard output, or the terminal.
    pub output: OwnedFd,
    /// Standard error; none with a terminal.
    pub errors: Option<OwnedFd>,
}

/// The process's ends.
pub(crate) struct Inner {
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub errors: OwnedFd,
}

impl Ends {
    /// Makes the pipes of a process that will run as `user`.
    pub(crate) fn make(with_input: bool, user: &User) -> io::Result<(Ends, Inner)> {
        let (output, output_in) = pipe2(OFlag::O_CLOEXEC)?;
        let (errors, errors_in) = pipe2(OFlag::O_CLOEXEC)?;
        let (input, input_in) = if with_input {
            let (inner, outer) = pipe2(OFlag::O_CLOEXEC)?;
            own(&inner, user)?;
            (Some(outer), inner)
        } else {
            (None, OpenOptions::new().read(true).open("/dev/null")?.into())
        };
        own(&output_in, user)?;
        own(&errors_in, user)?;
        let inner = Inner { input: input_in, output: output_in, errors: errors_in };
        Ok((Ends { input, output, errors: Some(errors) }, inner))
    }
}

/// Programs open /dev/stdout by its name, for which the pipe must be theirs.
fn own(end: &impl AsFd, user: &User) -> io::Result<()> {
    Ok(fchown(end, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?)
}
