//! The small process beside each container, and what it shares with whoever asked for it.
//!
//! [`shim_main`] is its entry, and [`init_main`] that of a container's first process: the same binary, executed once per container, which makes the namespaces and the root,
//! carries the standard streams between the container, its log and those who watch, brings further processes in, reaps
//! them all and leaves their exit codes on disk. A [`Spec`] says in plain values what one container is made of, a
//! [`Process`] what is run in it; [`talk`] is what is said to a shim and by it; [`place`] is where the parts of a
//! container lie.
//!
//! `prepare` makes the container, `serve` is its life: a loop over `flow` (streams), `client` (requests), `exec` and
//! `birth` (further processes).
//!
//! This crate never knows more than one container, and nothing of images, names or the Engine API.

mod birth;
mod check;
mod children;
mod client;
mod console;
mod devices;
mod ends;
mod entry;
mod exec;
mod flow;
pub mod hold;
mod hybrid;
mod init;
mod kernel;
pub mod log;
mod mounts;
mod oci;
mod payload;
pub mod place;
mod placing;
mod prepare;
mod process;
mod recorder;
mod root;
mod serve;
mod signal;
mod spec;
mod status;
pub mod talk;
mod tree;
mod user;
mod viewer;
mod visit;

pub use cgroup::Resources;
pub use check::check;
pub use entry::shim_main;
pub use init::{init_main, is_init};
pub use log::{LogLine, LogStream};
pub use privilege::Seccomp;
pub use process::{ExecStatus, Process, Size, Streams};
pub use signal::{ParseSignalError, Signal};
pub use spec::{
    CgroupNamespace, Device, FileInRoot, Ipc, LogOptions, MASKED_PATHS, Mount, MountKind, PidSpace,
    Propagation, READ_ONLY_PATHS, Spec, Submounts, Ulimit, Uts,
};
pub use status::{Exit, Phase, Started, Status};
pub use visit::visit_at_rest;
