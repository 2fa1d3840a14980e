//! Agents and a manager talk over real TLS on the loopback, with a real log and containers that only pretend.

#![allow(clippy::unwrap_used)]

mod agents;
mod cluster;
mod host;
mod logs;
mod raw;
