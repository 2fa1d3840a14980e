//! What the configuration of a container means.
//!
//! Clients write a [`Config`](container_json::Config) and a [`HostConfig`](container_json::HostConfig) in Docker's
//! JSON. [`check`] refuses what makes no sense in them, [`complete`] fills in what they leave open, and [`change`] lays
//! later wishes over them. [`mounts`] and [`ports`] read what is mounted and published, and [`spec::decide`] says in a
//! [`Spec`](container::Spec) what the container is made of. [`health`] and [`restart`] tell when it is well, and when it
//! starts again. What is refused is an [`Error`] in Docker's words, because clients match on them.
//!
//! It is pure: it reads no file, asks no clock and starts nothing. What there is on the host, the time and chance are
//! arguments.

pub mod address;
pub mod change;
pub mod check;
pub mod complete;
mod error;
pub mod health;
pub mod mounts;
pub mod names;
pub mod ports;
pub mod restart;
pub mod spec;

pub use error::Error;
