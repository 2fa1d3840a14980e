//! What the tests stand on.

mod cli;
mod client;
mod cluster;
mod engine;
mod host;

pub use cli::Docker;
pub use cluster::{Cluster, nanoseconds};
pub use engine::{FakeEngine, container, line};
pub use host::Host;

use std::time::Duration;

/// How long any condition may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
