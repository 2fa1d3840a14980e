//! What crosses a wire or a disk: the generated gRPC code, the encoding of log entries and
//! snapshots, and the conversions between them and `model`.
//!
//! * [`pb`]: the messages, clients and servers generated from `proto/`.
//! * [`entry`], [`outcome`], [`snapshot`]: the bytes of what goes through the log.
//! * [`assignment`]: what a node must know, as items with keys; [`journal`]: what an agent keeps.
//! * `From<&model::X> for pb::X` and `TryFrom<pb::X> for model::X`: total conversions, whose
//!   [`Error`] names the field.
//!
//! It never opens a connection and never decides anything.

pub mod assignment;
mod convert;
pub mod entry;
mod error;
mod field;
pub mod journal;
pub mod outcome;
#[cfg(test)]
mod samples;
mod secret;
pub mod snapshot;

pub use error::Error;

/// The generated messages, clients and servers of `proto/drover/v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used)]
pub mod pb {
    tonic::include_proto!("drover.v1");
}
