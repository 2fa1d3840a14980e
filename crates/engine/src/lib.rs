//! The containers of this host as users of Docker know them: names, restarts, health, volumes, processes.
//!
//! [`Engine`] is the handle; its verbs take and give Docker's JSON types. A container is a record on disk: what the
//! client asked for as it was written, and the little that happened to it since. What the container is made of is
//! decided from it in one pure place, `spec`, and what runs is for the crate `container` to know.
//! [`Error`] carries Docker's words, because clients match on them.
//!
//! It never speaks HTTP, pulls no images, and knows neither clusters nor services: the container of a task comes with
//! its id, its settings and its networks, and is kept like any other, only not restarted.

mod detach_keys;
mod engine;
mod error;
mod events;
mod health;
mod life;
mod names;
mod record;
mod restart;
mod table;
mod wait;
mod session;
mod logs;

pub use engine::{Config, Engine, Parts};
pub use error::{Error, Kind};
pub use events::{Action, Events, Listener, Pruned, Subject};
