//! Networks of several hosts on the real kernel, each host a network namespace.

mod container;
mod lifecycle;
mod overlay;
mod port;
mod support;
