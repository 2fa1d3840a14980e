//! Stories of users, told on labs of real hosts: each brings up hosts of its own with the release binary, uses them as
//! a person would, breaks them, and looks at what became of it.

#![allow(clippy::unwrap_used)]

mod bad_input;
mod container_faults;
mod container_verbs;
mod daemon_restart;
mod docker_client;
mod exercises;
mod first_steps;
mod isolation;
mod lab_itself;
mod leader_dies;
mod limits_and_stop;
mod live_restore;
mod overlays;
mod partition;
mod pending_reasons;
mod published_udp;
mod registry;
mod registry_private;
mod rolling_update;
mod support;
mod tokens;
mod worker_dies;
