//! Runs containers on this host, each under a small shim process of its own.
//!
//! [`Containers`] is the handle: it creates, starts, stops, waits for, lists and removes containers, and reads
//! their logs. A [`Spec`] says in plain values what one container is made of. [`shim_main`] is the entry of
//! the shim: the same binary, executed once per container, which makes the namespaces and the root, owns the
//! standard streams, writes the log, reaps the process and leaves its exit status on disk. So the process that
//! holds the handle may die at any time: containers go on, and the next [`Containers::open`] adopts them.
//!
//! This crate never pulls or unpacks images (it gets layer directories), never configures networks (it gets the
//! path of a network namespace) and knows no clusters, services or tasks.

mod capability;
mod cgroup;
mod containers;
mod error;
mod keeper;
mod launch;
mod log;
mod place;
mod seccomp;
mod shim;
mod signal;
mod spec;
mod status;
mod talk;

pub use cgroup::favor_cgroup_moves;
pub use containers::{Config, Containers, Removal};
pub use error::Error;
pub use log::reader::LogQuery;
pub use log::{LogLine, LogStream};
pub use shim::shim_main;
pub use signal::{ParseSignalError, Signal};
pub use spec::{FileInRoot, LogOptions, Mount, MountKind, Propagation, Resources, Seccomp, Spec, Ulimit};
pub use status::{Exit, Phase, Started, Status};
