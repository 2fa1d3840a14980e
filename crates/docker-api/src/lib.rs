//! The Docker Engine API over HTTP, on a unix socket and on TCP.
//!
//! * [`Engine`] is what it needs of this host, in one trait per noun; the cluster's verbs come from `control`.
//! * [`serve`] answers on one listener.
//! * `routes` has one file per noun; `hijack` is how a connection leaves HTTP.
//!
//! It never decides anything and keeps no state of its own.

pub mod engine;
mod error;
mod hijack;
mod moment;
mod pattern;
mod request;
mod respond;
mod routes;
mod server;
mod unread;

pub use engine::{Engine, LocalState, Membership};
pub use error::{ApiError, Status};
pub use server::{Listener, serve};
