//! Images from real archives and a real registry, on real filesystems.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod archive;
mod embedded;
mod import;
mod killed;
mod names;
mod pull;
mod push;
mod space;
mod store;
mod support;
mod unpack;
