//! The tiny first process of a container that asked for one: it forwards signals and reaps orphans.
//!
//! It is this binary again, bound read-only into the container, so that the image needs no extra program. A mere copy
//! of the shim would do the same, but the kernel hides its `/proc/1/fd` from the container's other processes, which
//! write to the container's log through it.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, execv};

use crate::kernel;
use crate::placing::{self, Placing, Shape};
use crate::tree::{Depth, Tree, flags};

/// Where the program lies in the container, as in Docker's.
pub(crate) const PATH: &str = "/sbin/docker-init";
const NAME: &str = "docker-init";
const OWN_BINARY: &str = "/proc/self/exe";

/// Returns whether this binary was executed as the first process of a container, by its own name and that alone.
pub fn is_init(name: &OsStr) -> bool {
    Path::new(name).file_name() == Some(OsStr::new(NAME))
}

/// Serves as the first process of a container until its program ends, then ends with its code, or with 128 and the
/// signal that ended it.
///
/// To be called with the arguments after the name, before anything else takes memory or makes threads.
pub fn init_main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    // Whatever the binary opened before, or inherited, is no business of the container.
    kernel::close_all_but_standard();
    let child = args.next().and_then(|arg| arg.to_str()?.parse().ok());
    let Some(child) = child.filter(|child| *child > 1) else {
        eprintln!(
            "{NAME}: no process to look after was named; this program starts with a container, and no other way"
        );
        return ExitCode::FAILURE;
    };
    serve(Pid::from_raw(child))
}

/// Takes this binary as something to be placed in a container.
pub(crate) fn placing() -> Result<Placing, String> {
    let failed = |error: io::Error| format!("place {PATH}: {error}");
    let tree =
        Tree::of(&placing::open(Path::new(OWN_BINARY)).map_err(failed)?, Depth::Top).map_err(failed)?;
    tree.propagate(libc::MS_PRIVATE, Depth::Top).map_err(failed)?;
    tree.restrict(flags::READ_ONLY | flags::NO_SUID | flags::NO_DEV, Depth::Top).map_err(failed)?;
    Ok(Placing { target: PATH.into(), shape: Shape::File, tree })
}

/// What a process is, of the two that a container with a first process begins with.
pub(crate) enum Part {
    /// The program is still to be executed.
    Program,
    /// This process is number 1, beside its child.
    Init(i32),
}

/// Makes the process that will execute the program. No signal reaches its parent before that can forward it.
pub(crate) fn part(has_terminal: bool) -> io::Result<Part> {
    kernel::hold_back_signals()?;
    // SAFETY: this is a copy of the shim, which has one thread.
    match unsafe { kernel::fork() }? {
        0 => {
            // Keys of the terminal are for the program alone: the first process would forward them once more.
            kernel::lead_process_group(has_terminal)?;
            kernel::reset_signals();
            Ok(Part::Program)
        }
        child => Ok(Part::Init(child)),
    }
}

/// Becomes the first process; returns only what went wrong, and then the program has gone.
pub(crate) fn execute(child: i32, args: &[String]) -> io::Error {
    let begun = kernel::die_with_parent().and_then(|()| {
        let own = [PATH.to_owned(), child.to_string(), "--".to_owned()];
        let texts = own.iter().chain(args).map(|arg| CString::new(arg.as_bytes()));
        let texts: Vec<CString> = texts.collect::<Result<_, _>>()?;
        Ok(execv(&texts[0], &texts)?)
    });
    // It is a child that nobody has reaped, so the number is its own.
    let _ = kernel::kill(child, libc::SIGKILL);
    begun.map(|never: Infallible| match never {}).unwrap_or_else(|error| error)
}

fn serve(child: Pid) -> ExitCode {
    if let Err(error) = kernel::hold_back_signals() {
        eprintln!("{NAME}: hold back signals: {error}");
        return ExitCode::FAILURE;
    }
    loop {
        if let Some(code) = reap(child) {
            return ExitCode::from(code);
        }
        match kernel::next_signal() {
            Ok(libc::SIGCHLD) | Err(_) => {}
            // The program may have ended a moment ago; the next turn sees it.
            Ok(signal) => drop(kernel::kill(child.as_raw(), signal)),
        }
    }
}

/// Reaps all that ended; returns the code if the program is among them.
fn reap(child: Pid) -> Option<u8> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Some(code as u8),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Some(128 + signal as u8),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return None,
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_name_alone_makes_a_first_process() {
        for (name, expected) in [
            ("/sbin/docker-init", true),
            ("docker-init", true),
            ("drover", false),
            ("/docker-init/drover", false),
            ("", false),
        ] {
            assert_eq!(is_init(OsStr::new(name)), expected, "{name}");
        }
    }
}
