//! Volumes on the real filesystem and with real mounts.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod content;
mod lifecycle;
mod mounts;
