//! System-call filters as BPF programs made in microseconds: Docker's default, and profiles of users.
//!
//! In the default, the allowed numbers are merged into ranges, so the program is a short chain of comparisons: some eighty
//! instructions, where one comparison per call takes over a thousand. That matters at each start, since the
//! kernel checks, compiles and tabulates the program when it is loaded.

#[rustfmt::skip]
mod names;
mod profile;
#[rustfmt::skip]
mod table;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
};
use serde::{Deserialize, Serialize};

use crate::capability::Set;
use profile::Circumstances;

// Offsets in the kernel's seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT: u32 = 16;

#[cfg(target_arch = "x86_64")]
const OWN_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OWN_ARCH: u32 = 0xc000_00b7;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const REFUSED: u32 = ERRNO | libc::EPERM as u32;
const UNKNOWN: u32 = ERRNO | libc::ENOSYS as u32;

/// All `CLONE_NEW*` flags that `clone` takes.
const CLONE_NEW: u32 = 0x7e02_0000;
/// `personality` values that change nothing of note: Linux, with 16-bit uname or 32-bit, and the query.
const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Which system calls are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Those that Docker refuses by default.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// Those that a profile refuses, written as Docker's are, in JSON.
    Profile(String),
}

impl Seccomp {
    /// Makes the filter of a container with these capabilities; none if nothing is filtered.
    pub fn filter(&self, capabilities: Set) -> Result<Option<Vec<sock_filter>>, String> {
        match self {
            Seccomp::Unconfined => Ok(None),
            Seccomp::Default => Ok(Some(default_filter(capabilities))),
            Seccomp::Profile(text) => {
                let host = nix::sys::utsname::uname()
                    .map_err(|errno| format!("ask for the kernel's version: {errno}"))?;
                let kernel = profile::kernel(&host.release().to_string_lossy())?;
                profile::compile(text, Circumstances { capabilities, kernel }).map(Some)
            }
        }
    }
}

/// Makes Docker's default filter for a container with these capabilities.
fn default_filter(capabilities: Set) -> Vec<sock_filter> {
    let admin = capabilities.has("SYS_ADMIN");
    let mut program = vec![load(ARCH), jump(BPF_JEQ, OWN_ARCH, 1, 0), ret(REFUSED), load(NUMBER)];
    if !admin {
        // The C library falls back to clone, whose flags can be seen, only if clone3 does not exist.
        answer(&mut program, libc::SYS_clone3, &[ret(UNKNOWN)]);
        answer(
            &mut program,
            libc::SYS_clone,
            &[load(ARGUMENT), and(CLONE_NEW), jump(BPF_JEQ, 0, 0, 1), ret(ALLOW), ret(REFUSED)],
        );
    }
    answer(
        &mut program,
        libc::SYS_socket,
        &[load(ARGUMENT), jump(BPF_JEQ, libc::AF_VSOCK as u32, 0, 1), ret(REFUSED), ret(ALLOW)],
    );
    answer(&mut program, libc::SYS_personality, &one_of(PERSONALITIES));
    for (first, last) in ranges(table::allowed(capabilities)) {
        // The ranges ascend: a number below this one lies in a gap.
        program.extend([jump(BPF_JGE, first, 1, 0), ret(REFUSED), jump(BPF_JGE, last + 1, 1, 0), ret(ALLOW)]);
    }
    program.push(ret(REFUSED));
    program
}

/// Merges numbers into ascending ranges.
fn ranges(mut numbers: Vec<u32>) -> Vec<(u32, u32)> {
    numbers.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match merged.last_mut() {
            Some((_, last)) if number <= *last + 1 => *last = number,
            _ => merged.push((number, number)),
        }
    }
    merged
}

/// Runs `body`, which must return, if the call is `number`.
fn answer(program: &mut Vec<sock_filter>, number: libc::c_long, body: &[sock_filter]) {
    let past = u8::try_from(body.len()).expect("bodies have a handful of instructions");
    program.push(jump(BPF_JEQ, number as u32, 0, past));
    program.extend_from_slice(body);
}

fn one_of(values: &[u32]) -> Vec<sock_filter> {
    let mut body = vec![load(ARGUMENT)];
    for value in values {
        body.extend([jump(BPF_JEQ, *value, 0, 1), ret(ALLOW)]);
    }
    body.push(ret(REFUSED));
    body
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

fn and(mask: u32) -> sock_filter {
    instruction(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0)
}

fn jump(test: u32, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    instruction(BPF_JMP | test | BPF_K, value, if_true, if_false)
}

fn ret(action: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, action, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use libc::{BPF_JA, BPF_JGT};

    use super::*;

    /// One system call, as a filter sees it.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Call {
        pub arch: u32,
        pub number: i64,
        pub arguments: [u64; 6],
    }

    impl Call {
        pub(super) fn new(number: i64) -> Call {
            Call { arch: OWN_ARCH, number, arguments: [0; 6] }
        }

        fn word(self, offset: u32) -> u32 {
            match offset {
                NUMBER => self.number as u32,
                ARCH => self.arch,
                at if (ARGUMENT..ARGUMENT + 48).contains(&at) && at % 4 == 0 => {
                    let (index, is_high) = ((at - ARGUMENT) as usize / 8, at % 8 == 4);
                    (self.arguments[index] >> if is_high { 32 } else { 0 }) as u32
                }
                other => panic!("loads {other}"),
            }
        }

        /// Runs the program as the kernel would.
        pub(super) fn verdict(self, program: &[sock_filter]) -> u32 {
            let (mut at, mut value) = (0, 0u32);
            loop {
                let i = program[at];
                at += 1;
                let jump = |holds: bool| usize::from(if holds { i.jt } else { i.jf });
                match u32::from(i.code) {
                    c if c == BPF_LD | BPF_W | BPF_ABS => value = self.word(i.k),
                    c if c == BPF_ALU | BPF_AND | BPF_K => value &= i.k,
                    c if c == BPF_RET | BPF_K => return i.k,
                    c if c == BPF_JMP | BPF_JA => at += i.k as usize,
                    c if c == BPF_JMP | BPF_JEQ | BPF_K => at += jump(value == i.k),
                    c if c == BPF_JMP | BPF_JGT | BPF_K => at += jump(value > i.k),
                    c if c == BPF_JMP | BPF_JGE | BPF_K => at += jump(value >= i.k),
                    c => panic!("instruction {c:#x}"),
                }
            }
        }
    }

    fn verdict(program: &[sock_filter], arch: u32, number: i64, argument: u32) -> u32 {
        let arguments = [u64::from(argument), 0, 0, 0, 0, 0];
        Call { arch, number, arguments }.verdict(program)
    }

    fn check(capabilities: Set, number: i64, argument: u32, expected: u32) {
        let program = default_filter(capabilities);
        assert_eq!(verdict(&program, OWN_ARCH, number, argument), expected, "call {number}({argument:#x})");
    }

    fn default() -> Set {
        Set::chosen(&[], &[], false).unwrap()
    }

    #[test]
    fn exactly_the_table_is_allowed() {
        let allowed = table::allowed(default());
        let program = default_filter(default());

        for number in (0..600).filter(|n| ![libc::SYS_socket, libc::SYS_clone].contains(n)) {
            let expected = match number {
                n if n == libc::SYS_clone3 => UNKNOWN,
                n if n == libc::SYS_personality || allowed.contains(&(n as u32)) => ALLOW,
                _ => REFUSED,
            };
            assert_eq!(verdict(&program, OWN_ARCH, number, 0), expected, "call {number}");
        }
    }

    #[test]
    fn program_is_short_enough_to_load_fast() {
        assert!(default_filter(default()).len() < 200, "{}", default_filter(default()).len());
    }

    #[test]
    fn new_namespaces_need_sys_admin() {
        check(default(), libc::SYS_clone, libc::CLONE_NEWUSER as u32 | 17, REFUSED);
        check(default(), libc::SYS_clone, libc::CLONE_VM as u32 | 17, ALLOW);
        check(default(), libc::SYS_unshare, 0, REFUSED);
        check(default().with("SYS_ADMIN"), libc::SYS_clone, libc::CLONE_NEWUSER as u32, ALLOW);
        check(default().with("SYS_ADMIN"), libc::SYS_clone3, 0, ALLOW);
        check(default().with("SYS_ADMIN"), libc::SYS_unshare, 0, ALLOW);
    }

    #[test]
    fn arguments_decide_where_the_number_does_not() {
        check(default(), libc::SYS_socket, libc::AF_INET as u32, ALLOW);
        check(default(), libc::SYS_socket, libc::AF_VSOCK as u32, REFUSED);
        check(default(), libc::SYS_personality, 0xffff_ffff, ALLOW);
        check(default(), libc::SYS_personality, 0x4_0000, REFUSED);
    }

    #[test]
    fn foreign_architectures_are_refused() {
        assert_eq!(verdict(&default_filter(default()), 0x4000_0003, libc::SYS_read, 0), REFUSED);
    }
}
