//! UDP ports: each client's datagrams go to one backend, and its answers back, as long as both live.

mod flows;
mod leg;
mod serve;
mod socket;

pub(crate) use serve::{Bounds, serve};
