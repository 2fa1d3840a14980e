//! Talks netlink: batches of requests that are sent at once, and questions that return lists.

pub(crate) mod flow;
pub(crate) mod link;
pub(crate) mod neighbour;
pub(crate) mod reader;
pub(crate) mod route;
pub(crate) mod socket;

pub(crate) use route::Batch;
pub(crate) use socket::{Protocol, Socket};
