//! Containers as users know them, on the real kernel. Needs root and a static busybox (package `busybox-static`).
//!
//! The test binary is its own shim, so it has its own `main` in place of the usual harness. It runs in a network
//! namespace of its own, whose bridges and rules are nobody else's.

// This file is a test as a whole, which the lint cannot see without the usual harness.
#![allow(clippy::unwrap_used)]

mod behaviour;
mod host;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "shim") {
        return container::shim_main(args);
    }
    host::run(behaviour::TESTS)
}
