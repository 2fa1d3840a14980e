//! Images from real archives and a real registry, on real filesystems.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod archive;
mod embedded;
mod names;
mod pull;
mod push;
mod store;
mod support;
mod unpack;
