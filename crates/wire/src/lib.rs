//! What crosses a wire or a disk: the generated gRPC code, the encoding of log entries and
//! snapshots, and the conversions between them and `model`.
//!
//! * [`pb`]: the messages, clients and servers generated from `proto/`.
//!
//! It never opens a connection and never decides anything.

/// The generated messages, clients and servers of `proto/drover/v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used)]
pub mod pb {
    tonic::include_proto!("drover.v1");
}
