//! Trees packed, unpacked and copied on the real filesystem, friendly ones and hostile ones.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod faithful;
mod hostile;
mod moving;
mod semantics;
mod support;
