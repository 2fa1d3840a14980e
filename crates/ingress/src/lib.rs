//! The published-port proxy of one node: accepts TCP connections on published ports and relays each to a replica.
//!
//! [`Ingress::apply`] takes the [`Table`] of ports and the [`Backend`]s behind each, opens and closes listeners, and
//! returns what could not be opened as [`PortProblem`]s, which heal by themselves. Each connection goes to the less
//! loaded of two backends picked at random; one that cannot be reached is replaced before the client notices.
//!
//! Listeners belong to the caller's network namespace; connections to backends are made on worker threads, which
//! [`Config::on_thread_start`] may move to another one.
//!
//! It never decides which backends are healthy, never touches established connections when the table changes, and
//! knows nothing of the kernel beyond sockets.

mod apply;
mod backend;
mod choose;
mod connection;
mod counters;
mod ingress;
mod listen;
mod port;
mod relay;
mod repeat;
mod table;
mod worker;

pub use counters::{BackendCounters, PortCounters};
pub use ingress::{Config, Error, Ingress};
pub use table::{Backend, PortProblem, Table};
