//! A filter from a profile as Docker's users write them, in JSON.
//!
//! Compiling one with 360 names takes 2 ms without optimisation on a busy machine, which needs no cache on disk.

use std::collections::BTreeMap;

use libc::{BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, sock_filter};
use serde::Deserialize;

use super::names::number;
use super::{ALLOW, ARCH, ARGUMENT, ERRNO, NUMBER, OWN_ARCH, REFUSED, and, instruction, jump, load, ret};
use crate::capability::Set;

/// The kernel takes no longer programs.
const INSTRUCTIONS_MAX: usize = 4096;
/// On x86-64 the same calls exist again from here on, in another ABI.
const FOREIGN_NUMBERS: u32 = 0x4000_0000;
const ARGUMENTS: u32 = 6;

#[cfg(target_arch = "x86_64")]
const OWN_NAME: &str = "amd64";
#[cfg(target_arch = "aarch64")]
const OWN_NAME: &str = "arm64";

/// What of a profile makes a difference here. Other architectures than the host's own are always refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    #[serde(default)]
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Option<Condition>,
    #[serde(default)]
    excludes: Option<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// What a profile may ask about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// What the container's programs may gain.
    pub capabilities: Set,
    /// The kernel's version and major revision.
    pub kernel: (u32, u32),
}

/// What is answered to one system call.
#[derive(Debug, Default)]
struct Verdicts {
    /// In the order of the profile: the arguments that must match, and the action.
    conditional: Vec<(Vec<Argument>, u32)>,
    otherwise: Option<u32>,
}

/// Compiles a profile; the error tells what is wrong with it.
pub(super) fn compile(text: &str, circumstances: Circumstances) -> Result<Vec<sock_filter>, String> {
    let profile: Profile =
        serde_json::from_str(text).map_err(|error| format!("decoding seccomp profile failed: {error}"))?;
    let errno = profile.default_errno_ret;
    let default = action(&profile.default_action, errno)?;
    let mut calls: BTreeMap<u32, Verdicts> = BTreeMap::new();
    for rule in profile.syscalls.iter().flatten() {
        if applies(rule, circumstances)? {
            gather(rule, errno, &mut calls)?;
        }
    }
    let program = assemble(default, &calls)?;
    if program.len() > INSTRUCTIONS_MAX {
        let length = program.len();
        return Err(format!(
            "seccomp profile makes {length} instructions, the kernel takes {INSTRUCTIONS_MAX}"
        ));
    }
    Ok(program)
}

fn action(name: &str, errno: Option<u32>) -> Result<u32, String> {
    let data = errno.unwrap_or(libc::EPERM as u32) & 0xffff;
    Ok(match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => ERRNO | data,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | data,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => ALLOW,
        other => return Err(format!("invalid seccomp profile: action {other:?} is not supported")),
    })
}

fn applies(rule: &Rule, circumstances: Circumstances) -> Result<bool, String> {
    let held = circumstances.capabilities.names();
    let newer_than = |version: &Option<String>| match version {
        Some(version) => kernel(version).map(|wanted| Some(circumstances.kernel >= wanted)),
        None => Ok(None),
    };
    let none = Condition::default();
    let (includes, excludes) =
        (rule.includes.as_ref().unwrap_or(&none), rule.excludes.as_ref().unwrap_or(&none));
    let own = |arches: &Option<Vec<String>>| arches.as_ref().map(|names| names.iter().any(|n| n == OWN_NAME));
    let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();

    let is_included = list(&includes.caps).iter().all(|name| held.contains(name))
        && own(&includes.arches).unwrap_or(true)
        && newer_than(&includes.min_kernel)?.unwrap_or(true);
    let is_excluded = list(&excludes.caps).iter().any(|name| held.contains(name))
        || own(&excludes.arches).unwrap_or(false)
        || newer_than(&excludes.min_kernel)?.unwrap_or(false);
    Ok(is_included && !is_excluded)
}

/// Reads `4.8` or what `uname` says, such as `6.1.0-13-amd64`.
pub(super) fn kernel(version: &str) -> Result<(u32, u32), String> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(version)), Some(Ok(revision))) => Ok((version, revision)),
        _ => Err(format!("invalid kernel version {version:?}, expected for example \"4.8\"")),
    }
}

fn gather(
    rule: &Rule,
    default_errno: Option<u32>,
    calls: &mut BTreeMap<u32, Verdicts>,
) -> Result<(), String> {
    let listed = rule.names.as_deref().unwrap_or_default();
    if !rule.name.is_empty() && !listed.is_empty() {
        return Err("use either 'name' or 'names'".into());
    }
    let action = action(&rule.action, rule.errno_ret.or(default_errno))?;
    let args = rule.args.as_deref().unwrap_or_default();
    if let Some(wrong) = args.iter().find(|arg| arg.index >= ARGUMENTS) {
        return Err(format!("invalid seccomp profile: a call has no argument {}", wrong.index));
    }
    // Two wishes about one argument are alternatives.
    let repeats = |arg: &Argument| args.iter().filter(|other| other.index == arg.index).count() > 1;
    let alternatives = match args {
        [] => Vec::new(),
        args if args.iter().any(repeats) => args.iter().map(|arg| vec![arg.clone()]).collect(),
        args => vec![args.to_vec()],
    };
    for name in listed.iter().chain([&rule.name]) {
        // A profile names calls of all architectures and of kernels to come.
        let Some(number) = number(name) else { continue };
        let verdicts = calls.entry(number).or_default();
        if args.is_empty() {
            verdicts.otherwise.get_or_insert(action);
        }
        verdicts.conditional.extend(alternatives.iter().map(|args| (args.clone(), action)));
    }
    Ok(())
}

fn assemble(default: u32, calls: &BTreeMap<u32, Verdicts>) -> Result<Vec<sock_filter>, String> {
    let is_open = matches!(default & 0xffff_0000, ALLOW | 0x7ffc_0000 | 0x7ff0_0000);
    let foreign = if is_open { REFUSED } else { default };
    let mut program = vec![load(ARCH), jump(BPF_JEQ, OWN_ARCH, 1, 0), ret(foreign), load(NUMBER)];
    program.extend([jump(BPF_JGE, FOREIGN_NUMBERS, 0, 1), ret(foreign)]);
    for (number, verdicts) in calls.iter().filter(|(_, verdicts)| !verdicts.conditional.is_empty()) {
        let mut body = Vec::new();
        for (args, action) in &verdicts.conditional {
            body.extend(rule(args, *action)?);
        }
        body.push(ret(verdicts.otherwise.unwrap_or(default)));
        program.extend([jump(BPF_JEQ, *number, 1, 0), skip(body.len())]);
        program.extend(body);
    }
    for (first, last, action) in ranges(default, calls) {
        // The ranges ascend: a number below this one lies in a gap.
        program.extend([
            jump(BPF_JGE, first, 1, 0),
            ret(default),
            jump(BPF_JGE, last + 1, 1, 0),
            ret(action),
        ]);
    }
    program.push(ret(default));
    Ok(program)
}

/// Merges neighbours with one action into ranges, in ascending order.
fn ranges(default: u32, calls: &BTreeMap<u32, Verdicts>) -> Vec<(u32, u32, u32)> {
    let mut merged: Vec<(u32, u32, u32)> = Vec::new();
    for (number, verdicts) in calls {
        let Verdicts { conditional, otherwise: Some(action) } = verdicts else { continue };
        if !conditional.is_empty() || *action == default {
            continue;
        }
        match merged.last_mut() {
            Some((_, last, same)) if *number == *last + 1 && action == same => *last = *number,
            _ => merged.push((*number, *number, *action)),
        }
    }
    merged
}

fn skip(instructions: usize) -> sock_filter {
    instruction(BPF_JMP | BPF_JA, u32::try_from(instructions).unwrap_or(u32::MAX), 0, 0)
}

/// Where a comparison leads.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// The comparison of this argument holds.
    Held,
    /// The rule does not apply.
    Missed,
}

/// One instruction whose jumps are not numbers yet.
enum Step {
    Plain(sock_filter),
    Compare { test: u32, value: u32, if_true: To, if_false: To },
}

/// Returns the action if all arguments match; falls through if not.
fn rule(args: &[Argument], action: u32) -> Result<Vec<sock_filter>, String> {
    let tests = args.iter().map(comparison).collect::<Result<Vec<_>, _>>()?;
    let total: usize = tests.iter().map(Vec::len).sum::<usize>() + 1;
    let mut program = Vec::with_capacity(total);
    for test in tests {
        let held = program.len() + test.len();
        for step in test {
            let at = program.len() + 1;
            let distance = |to: To| match to {
                To::Next => 0,
                To::Held => held - at,
                To::Missed => total - at,
            };
            program.push(match step {
                Step::Plain(instruction) => instruction,
                Step::Compare { test, value, if_true, if_false } => {
                    // Six arguments of six instructions each are far from what a jump reaches.
                    jump(test, value, distance(if_true) as u8, distance(if_false) as u8)
                }
            });
        }
    }
    program.push(ret(action));
    Ok(program)
}

/// Compares one argument, whose halves the kernel shows one by one.
fn comparison(arg: &Argument) -> Result<Vec<Step>, String> {
    use To::{Held, Missed, Next};

    let low_at = ARGUMENT + 8 * arg.index;
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (high, low) = halves(arg.value);
    let load = |offset| Step::Plain(load(offset));
    let is = |test, value, if_true, if_false| Step::Compare { test, value, if_true, if_false };
    let ordered = |above: (To, To), last: (u32, To, To)| {
        vec![
            load(low_at + 4),
            is(if matches!(above.0, Held) { BPF_JGT } else { BPF_JGE }, high, above.0, above.1),
            is(BPF_JEQ, high, Next, Missed),
            load(low_at),
            is(last.0, low, last.1, last.2),
        ]
    };
    Ok(match arg.op.as_str() {
        "SCMP_CMP_EQ" => {
            vec![
                load(low_at + 4),
                is(BPF_JEQ, high, Next, Missed),
                load(low_at),
                is(BPF_JEQ, low, Next, Missed),
            ]
        }
        "SCMP_CMP_NE" => {
            vec![
                load(low_at + 4),
                is(BPF_JEQ, high, Next, Held),
                load(low_at),
                is(BPF_JEQ, low, Missed, Next),
            ]
        }
        "SCMP_CMP_GT" => ordered((Held, Next), (BPF_JGT, Next, Missed)),
        "SCMP_CMP_GE" => ordered((Held, Next), (BPF_JGE, Next, Missed)),
        "SCMP_CMP_LT" => ordered((Next, Held), (BPF_JGE, Missed, Next)),
        "SCMP_CMP_LE" => ordered((Next, Held), (BPF_JGT, Missed, Next)),
        "SCMP_CMP_MASKED_EQ" => {
            let (high_data, low_data) = halves(arg.value_two);
            vec![
                load(low_at + 4),
                Step::Plain(and(high)),
                is(BPF_JEQ, high_data, Next, Missed),
                load(low_at),
                Step::Plain(and(low)),
                is(BPF_JEQ, low_data, Next, Missed),
            ]
        }
        other => return Err(format!("invalid seccomp profile: operator {other:?} is not supported")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Call;
    use super::*;

    const EINVAL: u32 = ERRNO | 22;

    fn circumstances() -> Circumstances {
        Circumstances { capabilities: Set::chosen(&[], &[], false).unwrap(), kernel: (5, 10) }
    }

    fn compiled(rules: &str) -> Vec<sock_filter> {
        let text = format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{rules}]}}"#);
        compile(&text, circumstances()).unwrap()
    }

    fn check(rules: &str, call: Call, expected: u32) {
        assert_eq!(call.verdict(&compiled(rules)), expected, "{rules} {call:?}");
    }

    fn compare(op: &str, value: u64, argument: u64, holds: bool) {
        let rules = format!(
            r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{{"index":3,"value":{value},"valueTwo":8,"op":"SCMP_CMP_{op}"}}]}}"#
        );
        let mut call = Call::new(libc::SYS_read);
        call.arguments[3] = argument;
        check(&rules, call, if holds { ALLOW } else { REFUSED });
    }

    #[test]
    fn arguments_are_compared_in_all_64_bits() {
        const BIG: u64 = 0x1_0000_0005;
        for (argument, order) in [(5, -1), (BIG - 1, -1), (BIG, 0), (BIG + 1, 1), (0x2_0000_0000, 1)] {
            compare("EQ", BIG, argument, order == 0);
            compare("NE", BIG, argument, order != 0);
            compare("LT", BIG, argument, order < 0);
            compare("LE", BIG, argument, order <= 0);
            compare("GT", BIG, argument, order > 0);
            compare("GE", BIG, argument, order >= 0);
        }
        compare("MASKED_EQ", 0x1_0000_000c, 0x8, true);
        compare("MASKED_EQ", 0x1_0000_000c, 0xfa, true);
        compare("MASKED_EQ", 0x1_0000_000c, 0x1_0000_0008, false);
        compare("MASKED_EQ", 0x1_0000_000c, 0xc, false);
    }

    #[test]
    fn all_arguments_of_a_rule_must_match_and_alternatives_need_one() {
        let rules = r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_GE"}]}"#;
        let read = |arguments| Call { arguments, ..Call::new(libc::SYS_read) };
        check(rules, read([1, 2, 0, 0, 0, 0]), ALLOW);
        check(rules, read([1, 1, 0, 0, 0, 0]), REFUSED);
        check(rules, read([2, 2, 0, 0, 0, 0]), REFUSED);

        let rules = rules.replace(r#""index":1"#, r#""index":0"#).replace("GE", "EQ");
        check(&rules, read([1, 0, 0, 0, 0, 0]), ALLOW);
        check(&rules, read([2, 0, 0, 0, 0, 0]), ALLOW);
        check(&rules, read([3, 0, 0, 0, 0, 0]), REFUSED);
    }

    #[test]
    fn calls_get_their_own_answers() {
        let rules = r#"{"names":["read","write","no_such_call"],"action":"SCMP_ACT_ALLOW"},
            {"name":"fchmod","action":"SCMP_ACT_ERRNO","errnoRet":22},
            {"names":["mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"},
            {"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":22,"args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW"}"#;

        check(rules, Call::new(libc::SYS_read), ALLOW);
        check(rules, Call::new(libc::SYS_write), ALLOW);
        check(rules, Call::new(libc::SYS_openat), REFUSED);
        check(rules, Call::new(libc::SYS_fchmod), EINVAL);
        check(rules, Call::new(libc::SYS_mkdirat), 0x8000_0000);
        check(rules, Call { arguments: [40, 0, 0, 0, 0, 0], ..Call::new(libc::SYS_socket) }, EINVAL);
        check(rules, Call { arguments: [2, 0, 0, 0, 0, 0], ..Call::new(libc::SYS_socket) }, ALLOW);
    }

    #[test]
    fn rules_depend_on_capabilities_architecture_and_kernel() {
        let rule = |condition: &str| format!(r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW",{condition}}}"#);
        for (condition, applies) in [
            (r#""includes":{"caps":["CAP_CHOWN"]}"#, true),
            (r#""includes":{"caps":["CAP_SYS_ADMIN"]}"#, false),
            (r#""excludes":{"caps":["CAP_CHOWN"]}"#, false),
            (r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#, true),
            (r#""includes":{"arches":["amd64","arm64"]}"#, true),
            (r#""includes":{"arches":["s390x"]}"#, false),
            (r#""excludes":{"arches":["s390x"]}"#, true),
            (r#""includes":{"minKernel":"5.10"}"#, true),
            (r#""includes":{"minKernel":"5.11"}"#, false),
            (r#""excludes":{"minKernel":"4.8"}"#, false),
            (r#""args":null,"includes":{},"excludes":{}"#, true),
        ] {
            check(&rule(condition), Call::new(libc::SYS_read), if applies { ALLOW } else { REFUSED });
        }
    }

    #[test]
    fn open_default_does_not_open_other_architectures() {
        let text = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["fchmod"],"action":"SCMP_ACT_ERRNO"}]}"#;
        let program = compile(text, circumstances()).unwrap();

        let verdict = |call: Call| call.verdict(&program);
        assert_eq!(verdict(Call::new(libc::SYS_read)), ALLOW);
        assert_eq!(verdict(Call::new(libc::SYS_fchmod)), REFUSED);
        assert_eq!(verdict(Call::new(libc::SYS_fchmod | 0x4000_0000)), REFUSED);
        assert_eq!(verdict(Call { arch: 0x4000_0003, ..Call::new(15) }), REFUSED);
    }

    #[test]
    fn many_alternatives_are_jumped_over_whole() {
        let one = |value| {
            format!(
                r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}]}}"#
            )
        };
        let rules = (0..100).map(one).collect::<Vec<_>>().join(",");
        let rules = format!(r#"{rules},{{"names":["write"],"action":"SCMP_ACT_ALLOW"}}"#);

        check(&rules, Call::new(libc::SYS_write), ALLOW);
        check(&rules, Call { arguments: [99, 0, 0, 0, 0, 0], ..Call::new(libc::SYS_read) }, ALLOW);
        check(&rules, Call { arguments: [100, 0, 0, 0, 0, 0], ..Call::new(libc::SYS_read) }, REFUSED);
    }

    #[test]
    fn broken_profiles_are_refused_in_words() {
        for (text, words) in [
            ("no json", "decoding seccomp profile failed"),
            ("{}", r#"action "" is not supported"#),
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "SCMP_ACT_NOTIFY"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]}"#,
                "either",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
                "argument 6",
            ),
        ] {
            let error = compile(text, circumstances()).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn versions_of_kernels_are_read() {
        assert_eq!(kernel("6.18.44-fc"), Ok((6, 18)));
        assert_eq!(kernel("4.8"), Ok((4, 8)));
        assert!(kernel("new").is_err());
    }
}
