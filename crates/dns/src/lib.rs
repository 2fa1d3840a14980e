//! Answers containers that ask for names: of services, of their tasks and of other containers on the same networks.
//! What is none of those is asked of other servers.
//!
//! A [`Zone`] is the names of one network, and [`look_up`] the whole decision, without IO. [`Server`] answers over
//! sockets that were opened inside the containers' namespaces: each container hears of its own networks alone. All
//! that goes to other servers leaves by sockets of the process's own namespace.
//!
//! It never opens a socket for clients, never changes a packet filter, never remembers other servers' answers, and
//! knows of a network no more than the names it was given.

mod forward;
mod lookup;
mod message;
mod serve;
mod server;
mod upstream;
mod zone;

pub use lookup::{Answer, Kind, look_up};
pub use server::{Client, Config, Error, Server};
pub use upstream::Upstream;
pub use zone::{Member, Service, Zone};
