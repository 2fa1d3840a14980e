//! The few kernel calls that no crate wraps for us.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_long, sock_filter, sock_fprog};
use nix::fcntl::{FcntlArg, OFlag, OpenHow, ResolveFlag, fcntl, openat2};
use privilege::capability::{Set, number};

use crate::Size;

/// Takes over a descriptor this process inherited.
///
/// # Safety
/// `fd` must be open and owned by nobody else.
pub(crate) unsafe fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: promised by the caller.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes file descriptor `to` a copy of `from`.
pub(crate) fn redirect(from: &impl AsRawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(c_long::from(unsafe { libc::dup2(from.as_raw_fd(), to) }))?;
    Ok(())
}

/// Keeps calls on a file from waiting.
pub(crate) fn unblocked(fd: OwnedFd) -> io::Result<File> {
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(fd))
}

/// Sets the size of a terminal, at either of its sides.
pub(crate) fn set_window_size(terminal: &impl AsRawFd, size: Size) -> io::Result<()> {
    let Size { rows, columns } = size;
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one structure of this type, which outlives the call.
    check(c_long::from(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }))?;
    Ok(())
}

/// Opens the side of a terminal that its processes use, wherever that has its name.
pub(crate) fn terminal_of(master: &impl AsRawFd) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no memory is passed.
    let fd = check(c_long::from(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) }))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Opens a path as a process with this root directory would, symbolic links included.
pub(crate) fn open_in_root(root: &File, path: &std::path::Path, flags: c_int) -> io::Result<File> {
    let how = OpenHow::new()
        .flags(OFlag::from_bits_truncate(flags) | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(File::from(openat2(root, path, how)?))
}

/// Loads a system-call filter for this process and its children.
pub(crate) fn load_filter(program: &[sock_filter]) -> io::Result<()> {
    let program = sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    let set_filter = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program outlives the call, and the kernel only reads it.
    check(unsafe { libc::syscall(libc::SYS_seccomp, set_filter, 0, &raw const program) })?;
    Ok(())
}

/// Takes a capability out of what programs executed later can gain.
pub(crate) fn drop_bounding(name: &str) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(c_long::from(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number(name), 0, 0, 0) }))?;
    Ok(())
}

/// Reduces this process's effective and permitted capabilities to those in `keep`.
pub(crate) fn keep_capabilities(keep: Set) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    // Two halves of effective, permitted, inheritable.
    let mut data = [0u32; 6];
    // SAFETY: version 3 reads two header words and writes six data words, which is what is passed.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) })?;
    let (low, high) = (keep.bits() as u32, (keep.bits() >> 32) as u32);
    for (word, mask) in data.iter_mut().zip([low, low, 0, high, high, 0]) {
        *word &= mask;
    }
    // SAFETY: as above; the kernel only reads.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })?;
    Ok(())
}

/// Asks to be killed when the parent, the shim, ends.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(c_long::from(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) }))?;
    Ok(())
}

/// Gives every signal its default action and lets all through: what was ignored stays so over `execve`.
pub(crate) fn reset_signals() {
    // SAFETY: SIG_DFL is valid for every signal; those that refuse it say so and change nothing. The set is
    // initialised by sigemptyset before it is used.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Keeps every signal waiting until [`next_signal`] takes it, over `execve` too.
pub(crate) fn hold_back_signals() -> io::Result<()> {
    // SAFETY: the set is initialised by sigfillset before it is used, and outlives the calls.
    check(c_long::from(unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut())
    }))?;
    Ok(())
}

/// Waits for a signal that is held back, and takes it. Real-time signals, which have no names, are among them.
pub(crate) fn next_signal() -> io::Result<i32> {
    // SAFETY: the set is initialised by sigfillset before it is used; nothing is wanted but the number.
    let signal = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigwaitinfo(&raw const all, std::ptr::null_mut())
    };
    Ok(check(c_long::from(signal))? as i32)
}

/// Puts this process at the head of a group of its own, which has the terminal if there is one.
///
/// Signals must be held back: the kernel stops a process that takes a terminal from another group.
pub(crate) fn lead_process_group(has_terminal: bool) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(c_long::from(unsafe { libc::setpgid(0, 0) }))?;
    if has_terminal {
        // SAFETY: no memory is passed.
        check(c_long::from(unsafe { libc::tcsetpgrp(0, libc::getpgrp()) }))?;
    }
    Ok(())
}

/// Gives freed memory back to the kernel: a shim at rest should weigh little.
pub(crate) fn trim_memory() {
    // SAFETY: the allocator may be trimmed at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Sends a signal to a process whose number cannot have passed to another, such as a child that is not reaped.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(c_long::from(unsafe { libc::kill(pid, signal) }))?;
    Ok(())
}

/// Copies this process. The child sees 0.
///
/// # Safety
/// The process must have one thread only.
pub(crate) unsafe fn fork() -> io::Result<i32> {
    // SAFETY: with one thread no lock can be held by a thread the child lacks.
    Ok(check(c_long::from(unsafe { libc::fork() }))? as i32)
}

/// Closes every descriptor above standard error.
pub(crate) fn close_all_but_standard() {
    // SAFETY: called in a process that goes on without using any descriptor value it owned.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
}

/// Turns the return value of a C call into a result.
pub(crate) fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
