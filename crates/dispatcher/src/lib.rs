//! The managers' side of agent sessions, on every manager: what each node must know goes down,
//! what nodes report goes to the log. Logs and volumes of nodes are fetched through them.
//!
//! * [`Dispatcher`] serves the sessions and runs the loops beside them.
//! * [`complete`] and [`difference`] decide what a node must know.
//! * [`Liveness`] decides which nodes count as down.
//!
//! It never decides what should run, and never changes what a user or the core wrote.

mod assignment;
mod dispatcher;
mod intake;
mod liveness;
mod log_broker;
mod relay;
mod session;
mod volumes;

pub use assignment::{Managers, Sight};
pub use assignment::{complete, difference};
pub use dispatcher::{Dispatcher, LogsWanted};
pub use liveness::Liveness;
pub use volumes::{Onto, VolumeError, VolumeErrorKind};
