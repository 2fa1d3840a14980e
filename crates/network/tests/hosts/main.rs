//! Networks of several hosts on the real kernel, each host a network namespace.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod balance;
mod container;
mod lifecycle;
mod overlay;
mod port;
mod resolver;
mod support;
