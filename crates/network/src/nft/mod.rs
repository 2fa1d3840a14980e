//! The packet filter's netlink messages, as far as the host's table `drover` and those of containers need them.

pub(crate) mod balance;
mod encoder;
mod expression;
pub(crate) mod names;
mod table;

pub(crate) use table::{Endpoint, Published, Table};
