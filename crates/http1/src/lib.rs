//! HTTP/1 messages on their way through a proxy: heads are checked and written anew, bodies are followed to their end.
//!
//! [`read_request`] and [`read_response`] take the bytes of a head, refuse what two readers could understand in two ways
//! (RFC 9112 §11.2), and write the head that goes on: without what belongs to one connection only (RFC 9110 §7.6.1),
//! and, towards a backend, with who asked for it (`Forwarded` and its elder relatives). A [`Body`] knows from the head
//! where the message ends, and hands on exactly its bytes.
//!
//! What goes on is never what came in: every line is written by this crate from parts it has understood.
//!
//! It does no IO, keeps no buffers, and knows nothing of connections.

mod body;
mod chunks;
mod fields;
mod forwarded;
mod refusal;
mod request;
mod response;

pub use body::{Body, Chunking, Passed};
pub use chunks::BadChunk;
pub use forwarded::Caller;
pub use refusal::{BadResponse, Refusal};
pub use request::{Request, Version, is_host, read_request};
pub use response::{Reply, Response, read_response};

/// Heads with more fields than this are refused; browsers send some thirty.
pub const FIELDS_MAX: usize = 100;
