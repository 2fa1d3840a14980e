//! The API over a unix socket, on a real manager with a real log, driven by plain HTTP and by the
//! unmodified `docker` client.

#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
mod containers;
mod events;
mod images;
mod logs;
mod protocol;
mod services;
mod support;
mod swarm;
mod tasks;
