//! The API over a unix socket, on a real manager with a real log, driven by plain HTTP and by the
//! unmodified `docker` client.

#![allow(clippy::unwrap_used, missing_docs)]

mod archives;
mod cli;
mod containers;
mod conversations;
mod docker_run;
mod events;
mod images;
mod lives;
mod logs;
mod networks;
mod protocol;
mod services;
mod support;
mod swarm;
mod tasks;
mod volumes;
