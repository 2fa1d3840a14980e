//! What this binary does inside a container: it tries what a container must not do, and says how that ended.

use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// A system call with arguments that would do something if it were allowed.
type Attempt = (&'static str, fn() -> c_long);

const ATTEMPTS: &[Attempt] = &[
    ("mount", || call(libc::SYS_mount, [text(c"none"), text(c"/tmp"), text(c"tmpfs"), 0, 0])),
    ("umount", || call(libc::SYS_umount2, [text(c"/dev/shm"), 0, 0, 0, 0])),
    ("pivot_root", || call(libc::SYS_pivot_root, [text(c"/tmp"), text(c"/tmp"), 0, 0, 0])),
    ("unshare", || call(libc::SYS_unshare, [libc::CLONE_NEWNS as c_long, 0, 0, 0, 0])),
    ("unshare user", || call(libc::SYS_unshare, [libc::CLONE_NEWUSER as c_long, 0, 0, 0, 0])),
    ("setns", || call(libc::SYS_setns, [0, 0, 0, 0, 0])),
    ("open_tree", || call(libc::SYS_open_tree, [-100, text(c"/"), 1, 0, 0])),
    ("fsopen", || call(libc::SYS_fsopen, [text(c"tmpfs"), 0, 0, 0, 0])),
    ("init_module", || call(libc::SYS_init_module, [text(c""), 0, text(c""), 0, 0])),
    ("finit_module", || call(libc::SYS_finit_module, [0, text(c""), 0, 0, 0])),
    ("delete_module", || call(libc::SYS_delete_module, [text(c"no-such-module"), 0, 0, 0, 0])),
    ("kexec_load", || call(libc::SYS_kexec_load, [0, 0, 0, 0, 0])),
    ("keyctl", || call(libc::SYS_keyctl, [0, -3, 0, 0, 0])),
    ("add_key", || call(libc::SYS_add_key, [text(c"user"), text(c"x"), text(c"y"), 1, -3])),
    ("request_key", || call(libc::SYS_request_key, [text(c"user"), text(c"x"), 0, 0, 0])),
    ("bpf", || call(libc::SYS_bpf, [0, 0, 0, 0, 0])),
    ("perf_event_open", || call(libc::SYS_perf_event_open, [0, 0, -1, -1, 0])),
    ("userfaultfd", || call(libc::SYS_userfaultfd, [0, 0, 0, 0, 0])),
    // Magic numbers without which the kernel would not do it, were it asked.
    ("reboot", || call(libc::SYS_reboot, [0, 0, 0, 0, 0])),
    ("settimeofday", || call(libc::SYS_settimeofday, [0, 0, 0, 0, 0])),
    ("clock_settime", || call(libc::SYS_clock_settime, [0, 0, 0, 0, 0])),
    ("clock_adjtime", || call(libc::SYS_clock_adjtime, [0, CLOCK_OFFSET.as_ptr() as c_long, 0, 0, 0])),
    ("swapon", || call(libc::SYS_swapon, [text(c"/none"), 0, 0, 0, 0])),
    ("acct", || call(libc::SYS_acct, [0, 0, 0, 0, 0])),
    ("syslog", || call(libc::SYS_syslog, [3, 0, 0, 0, 0])),
    ("quotactl", || call(libc::SYS_quotactl, [0, 0, 0, 0, 0])),
    ("open_by_handle_at", || call(libc::SYS_open_by_handle_at, [-100, 0, 0, 0, 0])),
    ("ptrace a stranger", || call(libc::SYS_ptrace, [16, 1, 0, 0, 0])),
    ("raw socket", || call(libc::SYS_socket, [libc::AF_INET as c_long, libc::SOCK_RAW as c_long, 1, 0, 0])),
    ("packet socket", || {
        call(libc::SYS_socket, [libc::AF_PACKET as c_long, libc::SOCK_RAW as c_long, 0, 0, 0])
    }),
    ("vsock socket", || {
        call(libc::SYS_socket, [libc::AF_VSOCK as c_long, libc::SOCK_STREAM as c_long, 0, 0, 0])
    }),
    ("sethostname", || call(libc::SYS_sethostname, [text(c"x"), 1, 0, 0, 0])),
    ("chroot", || call(libc::SYS_chroot, [text(c"/"), 0, 0, 0, 0])),
    ("chown", || call(libc::SYS_fchownat, [-100, text(c"/tmp"), 0, 0, 0])),
];

/// Asks to move the clock by nothing.
static CLOCK_OFFSET: [c_long; 32] = {
    let mut wish = [0; 32];
    wish[0] = 1;
    wish
};

/// Tries everything and says a line about each.
pub fn main() -> ExitCode {
    for (name, attempt) in ATTEMPTS {
        Errno::clear();
        let outcome = match attempt() {
            result if result < 0 => format!("{:?}", Errno::last()),
            _ => "done".to_owned(),
        };
        println!("{name}: {outcome}");
    }
    ExitCode::SUCCESS
}

fn text(text: &'static std::ffi::CStr) -> c_long {
    text.as_ptr() as c_long
}

fn call(number: c_long, [a, b, c, d, e]: [c_long; 5]) -> c_long {
    // SAFETY: pointers among the arguments point to constants or nowhere; what is let through changes this process alone.
    unsafe { libc::syscall(number, a, b, c, d, e) }
}
