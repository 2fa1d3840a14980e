//! Containers on the real kernel. Needs root and a static busybox (package `busybox-static`).
//!
//! The test binary is its own shim, and more that a test cannot be itself, so it has its own `main` in place of the usual
//! harness.

// This file is a test as a whole, which the lint cannot see without the usual harness.
#![allow(clippy::unwrap_used)]

mod behaviour;
mod host;
mod probe;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| container::is_init(&name)) {
        return container::init_main(args);
    }
    match args.next().as_ref().and_then(|first| first.to_str()) {
        Some("shim") => container::shim_main(args),
        Some("probe") => probe::main(),
        Some("daemon") => behaviour::leftovers::daemon(args.next().expect("a directory is given").as_ref()),
        Some("unified") => behaviour::hierarchies::version_2(args),
        Some("legacy") => behaviour::hierarchies::version_1(args),
        Some(_) | None => host::run(behaviour::TESTS, std::env::args_os().skip(1)),
    }
}
