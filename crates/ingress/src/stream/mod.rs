//! Ports that carry bytes of any kind: a connection goes to one backend.

mod announce;
mod connection;
mod relay;
mod repeat;

pub(crate) use connection::serve;
pub(crate) use relay::{End, Held, Opening, relay};
