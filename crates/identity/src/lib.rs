//! Who a node is, and how the others know: the cluster's root CA, join tokens, node certificates,
//! their renewal, and the mutual TLS under every connection between nodes.
//!
//! * [`RootCa`] signs certificates; a [`JoinToken`] carries its digest and a secret, so that a
//!   newcomer knows the cluster and the cluster knows the newcomer.
//! * [`NodeIdentity`] is a node's certificate, key and trusted roots, kept in one file.
//! * [`Tls`] holds the identity in use; connections opened after [`Tls::replace`] use the new one.
//! * [`serve`] and [`channel`] are the two ends of a connection; a handler asks
//!   [`require_manager`] or [`require_node`] who is calling.
//! * [`CaServer`] over a [`CaSource`] answers [`join`] and [`renew`].
//!
//! It never opens a plaintext connection, never keeps a list of the cluster's nodes, and never
//! decides which role a node should have.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod base36;
mod ca_server;
mod certificate;
mod channel;
mod join;
mod node;
mod peer;
mod role;
mod root;
mod serve;
mod tls;
mod token;
mod verify;

pub use base36::random_id;
pub use ca_server::{Authority, CaServer, CaSource, NewNode, Tokens};
pub use channel::channel;
pub use join::{JoinError, RenewError, join, renew};
pub use node::{Error as NodeError, NodeIdentity, SigningRequest};
pub use peer::{Caller, Peer, peer, require_manager, require_node};
pub use role::{Role, UnknownRole};
pub use root::{Error as RootError, RootCa, Subject, VALIDITY_DEFAULT};
pub use serve::serve;
pub use tls::Tls;
pub use token::{InvalidToken, JoinToken};

#[cfg(test)]
mod tests;
