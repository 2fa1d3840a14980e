//! The commands on containers and volumes: Docker's verbs, flags, output and exit codes over the Engine API.
//!
//! * [`Verb`]: what is done with containers, as commands of their own and beneath `container`, which is [`Command`].
//! * [`volume::Command`]: what is done with volumes.
//! * [`progress`]: how a fetch is shown, here and by the commands on images.
//!
//! It knows the daemon's API only, and the files that a user names.

pub mod export;
pub mod ls;
pub mod progress;
pub mod prune;
pub mod volume;

mod attach;
mod cp;
mod create;
mod diff;
mod exec;
mod keys;
mod lifecycle;
mod logs;
mod port;
mod proxy;
mod rm;
mod run;
mod session;
mod start;
mod stats;
mod top;
mod update;
mod verb;

pub use create::pull;
pub use verb::{Command, Verb};

#[cfg(test)]
mod output_tests;
