//! Clusters in a few words, for the tests of decisions.
//!
//! * [`World`]: a view, a time and a source of ids, read from a compact notation (see [`notation`]); it runs a stage,
//!   applies its plan and lets time pass.
//! * [`check`]: what a stage changes in a cluster, both in words.
//! * [`story`]: the same, event after event.
//! * [`describe`]: what lies between two views, in words.
//!
//! It is used by tests alone and panics on a notation it cannot read.

mod describe;
pub mod notation;
mod story;
mod world;

pub use describe::describe;
pub use story::story;
pub use world::{Stage, World, check};
