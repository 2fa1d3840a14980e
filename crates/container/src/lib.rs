//! Runs containers on this host, each under a small shim process of its own.
//!
//! [`Containers`] is the handle: it makes, starts, pauses, stops, lists and removes containers, joins users to their
//! streams, runs further processes in them, reads their logs and counts what they use. A [`Spec`] says in plain values
//! what one container is made of, a [`Process`] what runs beside its program. The process beside each container is the
//! crate `shim`, re-executed from this binary: it owns the streams and leaves the exit status on disk, so that the
//! process that holds the handle may die at any time: containers go on, and the next [`Containers::open`] adopts them.
//!
//! This crate never pulls or unpacks images (it gets layer directories), never configures networks (it gets the
//! path of a network namespace) and knows no clusters, services or tasks.

mod adoption;
mod attach;
mod changes;
mod check;
mod containers;
mod entry;
mod error;
mod exec;
mod keeper;
mod launch;
mod layer;
mod log;
mod pausing;
mod root;
mod starting;
mod stats;
mod update;

pub use cgroup::favor_moves as favor_cgroup_moves;
pub use changes::{Change, ChangeKind};
pub use containers::{Config, Containers, Removal};
pub use error::Error;
pub use log::LogQuery;
pub use shim::{
    CgroupNamespace, Device, ExecStatus, Exit, FileInRoot, Ipc, LogLine, LogOptions, LogStream, MASKED_PATHS,
    Mount, MountKind, ParseSignalError, Phase, PidSpace, Process, Propagation, READ_ONLY_PATHS, Resources,
    Seccomp, Signal, Size, Spec, Started, Status, Streams, Submounts, Ulimit, Uts, init_main, is_init,
    shim_main,
};
pub use stats::{BlockEntry, BlockIo, Cpu, Memory, Network, Pids, Stats, Traffic};
