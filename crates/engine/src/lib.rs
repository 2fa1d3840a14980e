//! The containers of this host as users of Docker know them: names, restarts, health, volumes, processes.
//!
//! [`Engine`] is the handle; its verbs take and give Docker's JSON types. A container is a record on disk: what the
//! client asked for as it was written, and the little that happened to it since. What the container is made of is
//! decided from it by the crate `container-config`, and what runs is for the crate `container` to know.
//! [`Error`] carries Docker's words, because clients match on them.
//!
//! It never speaks HTTP, pulls no images, and knows neither clusters nor services: the container of a task comes with
//! its id, its settings and its networks, and is kept like any other, only not restarted.

mod attach;
mod create;
mod detach_keys;
mod engine;
mod error;
mod events;
mod exec;
mod files;
mod inspect;
mod life;
mod logs;
mod open;
mod places;
mod probe;
mod prune;
mod record;
mod remove;
mod session;
mod start;
mod state;
mod stats;
mod stop;
mod table;
mod taken;
mod task;
mod top;
mod update;
mod volumes;
mod wait;

pub use attach::AttachWanted;
pub use container_config::health::{Health, Probe, Status as HealthStatus};
pub use engine::{Config, Engine, Parts};
pub use error::{Error, Kind};
pub use events::{Action, Events, Listener, Pruned, Subject};
pub use files::{Pieces, Putting};
pub use inspect::{NETWORK_IDS, Sizes};
pub use logs::{Logs, LogsWanted};
pub use prune::until;
pub use remove::Removing;
pub use session::Session;
pub use stop::Stopping;
pub use task::Task;
pub use wait::Condition;
