//! Conversations with registries that behave as the real ones seldom do.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod credentials;
mod fake;
mod transfer;
