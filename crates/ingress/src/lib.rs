//! The published-port proxy of one node: accepts clients on published ports and hands each to a replica.
//!
//! [`Ingress::apply`] takes the [`Table`] of ports and the [`Backend`]s behind each, opens and closes listeners, and
//! returns what could not be opened as [`PortProblem`]s, which heal by themselves. What is balanced depends on the
//! port: each connection, each HTTP request, or each client's flow of datagrams goes to the less loaded of two backends
//! picked at random; one that cannot be reached is replaced before the client notices. A backend that is in no
//! table any more gets nothing new; [`Ingress::drained`] tells when what it had has ended.
//!
//! Listeners belong to the caller's network namespace; connections to backends are made on worker threads, which
//! [`Config::on_thread_start`] may move to another one.
//!
//! It never decides which backends are healthy, never breaks established connections when the table changes, and
//! knows nothing of the kernel beyond sockets.

mod accept;
mod apply;
mod backend;
mod choose;
mod chunk;
mod clock;
mod counters;
mod crew;
mod datagram;
mod http;
mod ingress;
mod listen;
mod manners;
mod pipe;
mod port;
mod reach;
mod roster;
mod stream;
mod table;
mod worker;

pub use counters::{BackendCounters, PortCounters};
pub use ingress::{Config, Error, Ingress};
pub use table::{AppProtocol, Backend, Kept, PortProblem, ProxyVersion, Published, Table, Tcp, Transport};
