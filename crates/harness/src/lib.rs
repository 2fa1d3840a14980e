//! Runs the tests of a program that is more than a test, and so has its own `main` in place of the usual harness.
//!
//! [`run`] takes [`Test`]s by name, gives each a host of its own, and says which failed.
//!
//! It knows nothing of what is tested: the host is made and looked after by whoever calls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

/// One test: what it shows, and how.
pub type Test<Host> = (&'static str, fn(&Host));

/// Runs the tests whose names contain one of the words, or all if there is none, one after the other.
///
/// `around` makes a host, runs the test on it and lets the host go; a panic in any of it is a failure. Words that begin
/// with `-` are for the usual harness, and are passed over.
pub fn run<Host>(tests: &[Test<Host>], words: &[String], around: impl Fn(fn(&Host))) -> ExitCode {
    let words: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|part| name.contains(part.as_str()));
    let mut failed = Vec::new();
    for (name, test) in tests.iter().filter(|(name, _)| is_wanted(name)) {
        let begin = Instant::now();
        let passed = catch_unwind(AssertUnwindSafe(|| around(*test))).is_ok();
        println!("test {name} ... {} ({:?})", if passed { "ok" } else { "FAILED" }, begin.elapsed());
        if !passed {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn fails(_host: &RefCell<Vec<&'static str>>) {
        panic!("as it is meant to");
    }

    #[test]
    fn what_is_named_is_run_and_failures_are_told() {
        let tests: &[Test<RefCell<Vec<&str>>>] = &[
            ("one_passes", |ran| ran.borrow_mut().push("one")),
            ("two_fails", fails),
            ("three_passes", |ran| ran.borrow_mut().push("three")),
        ];
        for (words, expected, code) in [
            (&["passes", "--nocapture"][..], &["one", "three"][..], ExitCode::SUCCESS),
            (&["two"], &[], ExitCode::FAILURE),
            (&[], &["one", "three"], ExitCode::FAILURE),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let ran = RefCell::default();

            let ended = run(tests, &words, |test| test(&ran));

            assert_eq!((ran.into_inner(), ended == code), (expected.to_vec(), true), "{words:?}");
        }
    }
}
