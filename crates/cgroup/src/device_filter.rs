//! Keeps a container from devices on hosts without version 1 cgroups: a BPF program of the kernel's second kind,
//! attached to the container's cgroup and asked at each opening and making of a device node.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use crate::device::{Access, Kind, Rule};
use crate::kernel::check;

// Codes of the few instructions that are needed: class, operation and source in one byte.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const JUMP_UNLESS_EQUAL_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;

// What the kernel passes: access in the upper half of the first word, kind in the lower; major; minor.
const WHAT_AT: i16 = 0;
const MAJOR_AT: i16 = 4;
const MINOR_AT: i16 = 8;
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

const RESULT: u8 = 0;
/// Points to what the kernel passes, until that is loaded; free afterwards.
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_DEVICE: u32 = 6;
/// Programs of the cgroups above are asked too.
const ALLOW_MULTI: u32 = 2;

/// One instruction as the kernel reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    /// The source in the upper half, the destination in the lower.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// Makes the program that allows what one of the rules allows.
pub(crate) fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        load(MINOR, MINOR_AT),
        load(MAJOR, MAJOR_AT),
        load(ACCESS, WHAT_AT),
        with_register(MOVE_REGISTER, KIND, ACCESS, 0),
        with_value(AND, KIND, 0xffff, 0),
        with_value(SHIFT_RIGHT, ACCESS, 16, 0),
    ];
    for rule in rules {
        program.extend(allow(rule));
    }
    program.extend(answer(0));
    program
}

fn allow(rule: &Rule) -> Vec<Instruction> {
    let mut tests = Vec::new();
    if let Some(kind) = rule.kind {
        let kind = match kind {
            Kind::Block => BLOCK,
            Kind::Character => CHARACTER,
        };
        tests.push(with_value(JUMP_UNLESS_EQUAL, KIND, kind, 0));
    }
    if rule.access != Access::ALL {
        // All that is asked for must be in the rule.
        tests.push(with_register(MOVE_REGISTER, CONTEXT, ACCESS, 0));
        tests.push(with_value(AND, CONTEXT, i32::from(rule.access.bits()), 0));
        tests.push(with_register(JUMP_UNLESS_EQUAL_REGISTER, CONTEXT, ACCESS, 0));
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        // Device numbers have at most 20 bits.
        tests.extend(number.map(|number| with_value(JUMP_UNLESS_EQUAL, register, number as i32, 0)));
    }
    tests.extend(answer(1));
    let end = tests.len();
    for (at, instruction) in tests.iter_mut().enumerate() {
        if matches!(instruction.code, JUMP_UNLESS_EQUAL | JUMP_UNLESS_EQUAL_REGISTER) {
            // A rule has ten instructions at most.
            instruction.offset = (end - at - 1) as i16;
        }
    }
    tests
}

fn answer(allowed: i32) -> [Instruction; 2] {
    [with_value(MOVE, RESULT, allowed, 0), with_value(EXIT, 0, 0, 0)]
}

fn load(register: u8, offset: i16) -> Instruction {
    with_register(LOAD_WORD, register, CONTEXT, offset)
}

fn with_register(code: u8, destination: u8, source: u8, offset: i16) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, immediate: 0 }
}

fn with_value(code: u8, destination: u8, immediate: i32, offset: i16) -> Instruction {
    Instruction { code, registers: destination, offset, immediate }
}

/// Attaches a program to a version 2 cgroup; it goes when the cgroup goes.
pub(crate) fn attach(program: &[Instruction], cgroup: &Path) -> io::Result<()> {
    let dir = File::open(cgroup)?;
    let loaded = load_program(program)?;
    let words = [dir.as_raw_fd(), loaded.as_raw_fd(), ATTACH_DEVICE as i32, ALLOW_MULTI as i32];
    // SAFETY: the attributes outlive the call, their size is given, and the kernel only reads them.
    unsafe { bpf(PROG_ATTACH, &words) }?;
    Ok(())
}

/// The front of the kernel's attributes for loading a program; the rest counts as zero.
#[repr(C)]
struct Loading {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
}

fn load_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let license = c"Apache-2.0";
    let attributes = Loading {
        kind: TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
    };
    // SAFETY: program and license outlive the call, and the kernel only reads them.
    let fd = unsafe { bpf(PROG_LOAD, &attributes) }?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Calls `bpf`.
///
/// # Safety
/// The attributes must be what the command reads, and all they point to must be readable.
unsafe fn bpf<T>(command: i32, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: promised by the caller.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), std::mem::size_of::<T>())
    };
    Ok(check(result)? as RawFd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn allows(program: &[Instruction], kind: i32, major: u32, minor: u32, access: u8) -> bool {
        let passed = [u64::from(access) << 16 | kind as u64, u64::from(major), u64::from(minor)];
        let mut registers = [0u64; 11];
        let mut at = 0usize;
        loop {
            let Instruction { code, registers: names, offset, immediate } = program[at];
            let (source, target) = (usize::from(names >> 4), usize::from(names & 15));
            at += 1;
            match code {
                LOAD_WORD => registers[target] = passed[usize::try_from(offset).unwrap() / 4],
                MOVE => registers[target] = immediate as u64,
                MOVE_REGISTER => registers[target] = registers[source],
                AND => registers[target] &= immediate as u64,
                SHIFT_RIGHT => registers[target] >>= immediate,
                JUMP_UNLESS_EQUAL if registers[target] != immediate as u64 => at += offset as usize,
                JUMP_UNLESS_EQUAL_REGISTER if registers[target] != registers[source] => at += offset as usize,
                JUMP_UNLESS_EQUAL | JUMP_UNLESS_EQUAL_REGISTER => {}
                EXIT => return registers[usize::from(RESULT)] == 1,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn check(rules: &str, device: &str, expected: bool) {
        let rules: Vec<Rule> =
            rules.split(',').filter(|text| !text.is_empty()).map(|t| t.parse().unwrap()).collect();
        let asked: Rule = device.parse().unwrap();
        let kind = match asked.kind.unwrap() {
            Kind::Block => BLOCK,
            Kind::Character => CHARACTER,
        };
        let program = program(&rules);

        let allowed = allows(&program, kind, asked.major.unwrap(), asked.minor.unwrap(), asked.access.bits());

        assert_eq!(allowed, expected, "{device} by {rules:?}");
    }

    #[test]
    fn only_what_one_rule_allows_is_allowed() {
        check("", "c 1:3 r", false);
        check("c 1:3 rwm", "c 1:3 rw", true);
        check("c 1:3 rwm", "c 1:5 r", false);
        check("c 1:3 rwm", "b 1:3 r", false);
        check("c 1:3 rwm", "c 2:3 r", false);
        check("c 1:3 r", "c 1:3 r", true);
        check("c 1:3 r", "c 1:3 rw", false);
        check("c 1:3 r,c 1:3 w", "c 1:3 rw", false);
        check("c 136:* rwm", "c 136:77 rw", true);
        check("b *:* m", "b 8:0 m", true);
        check("b *:* m", "b 8:0 rm", false);
        check("a *:* rwm", "b 8:0 rwm", true);
        check("c 1:3 rwm,b 8:1 r", "b 8:1 r", true);
        check("c 1048575:1048575 rwm", "c 1048575:1048575 r", true);
    }
}
