//! The tiny first process of a container that asked for one: it forwards signals and reaps orphans.
//!
//! It is a copy of the shim that executes nothing, so the image needs no extra program.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::kernel;

/// Serves until the program ends, then ends with its code.
pub(crate) fn run(child: i32) -> ! {
    let child = Pid::from_raw(child);
    // Descriptors copied from the shim would keep its pipes open.
    kernel::close_all_but_standard();
    // If either fails, the container still runs: it merely outlives its shim, or shows another name.
    let _ = kernel::die_with_parent();
    let _ = nix::sys::prctl::set_name(c"drover-init");
    let all = SigSet::all();
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), None);
    loop {
        if let Some(code) = reap(child) {
            std::process::exit(code);
        }
        match all.wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            // The program may have ended a moment ago; the next turn sees it.
            Ok(signal) => drop(kill(child, signal)),
        }
    }
}

/// Reaps all that ended; returns the code if the program is among them.
fn reap(child: Pid) -> Option<i32> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
