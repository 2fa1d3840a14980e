//! One log for all managers: what is acknowledged here survives the loss of any minority of them,
//! and a sudden end of all at once.
//!
//! * [`Raft`] is the handle of a running manager: propose, read, watch, change the group.
//! * [`StateMachine`] is what the log drives; its [`View`](StateMachine::View) is what others see.
//! * [`ClusterState`] is the machine of Drover's managers, and [`Proposer`] how they change and read it.
//! * [`Start`] says how a manager comes into its group, [`Config`] with which settings.
//!
//! A thread owns the raft state; within it a replica without time or IO decides, so that the
//! simulator in the tests drives exactly what runs. The log and the snapshots are sealed files in
//! one folder. No raft type leaves this crate.
//!
//! It never looks into an entry, never talks to workers, and never decides what is proposed.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bridge;
mod cluster_state;
mod codec;
mod command;
mod config;
mod disk;
mod error;
mod forward;
mod handle;
mod join;
mod log;
mod machine;
mod member;
mod outgoing;
mod proposer;
mod replica;
mod runner;
mod service;
mod snapshot;
mod start;
mod status;

#[cfg(test)]
mod sim;

pub use cluster_state::ClusterState;
pub use config::{Config, Start};
pub use disk::Error as DiskError;
pub use error::{MemberError, ProposeError, ReadError, StartError};
pub use handle::Raft;
pub use machine::StateMachine;
pub use member::{Member, Standing};
pub use proposer::{Proposer, UpdateError};
pub use replica::{Applied, Failure};
pub use service::Service;
pub use status::{Role, Status};
