//! The user's verbs: each checks what is asked, turns it into changes and proposes them.
//!
//! * [`Control`] has the verbs, on any manager; a follower's proposals go through the leader.
//! * [`find`] resolves ids, names and id prefixes as Docker does.
//! * [`Error`] is what a user is told, by kind.
//!
//! It never decides where or when something runs, and knows neither HTTP nor JSON.

mod admission;
mod cluster;
mod control;
mod error;
pub mod find;
mod network;
mod networks;
mod node;
mod service;
mod unsupported;

pub use admission::Admission;
pub use cluster::{Founding, Rotate, found};
pub use control::Control;
pub use error::{Error, Kind};
pub use network::is_used;
