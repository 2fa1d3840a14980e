//! The packet filter's netlink messages, as far as the host's table `drover` needs them.

mod encoder;
mod expression;
mod table;

pub(crate) use table::{Endpoint, Published, Table};
