//! The user's verbs against a real log of one manager.

#![allow(clippy::unwrap_used)]

mod admission;
mod cluster;
mod finding;
mod networks;
mod nodes;
mod services;
mod support;
