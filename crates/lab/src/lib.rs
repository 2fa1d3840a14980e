//! Several hosts on one machine, each a set of kernel namespaces on a private bridge: a cluster to
//! try things on, and to break.
//!
//! * [`Lab`] is created from a [`Spec`], found again with [`Lab::open`] and removed with
//!   [`Lab::down`]; its state is one file in its folder.
//! * A [`Host`] has an address, a name, a data folder, a daemon's socket and log. The caller says
//!   with a [`DaemonCommand`] what the daemon is; the lab only places it.
//! * Hosts can be killed, started, paused, resumed and cut off from each other.
//!
//! How the processes of a host are found: each begins in the cgroup `drover-LAB-HOST/host` of the
//! unified hierarchy, which a child inherits and containers' cgroups lie beside, below
//! `drover-LAB-HOST`. Whatever escaped from there is found by its network or mount namespace.
//!
//! It uses no external program, leaves the machine's own network as it is but for one link per lab
//! (`drlabN`, so that a person can reach the hosts), and never touches what it did not make.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cgroup;
mod cut;
mod down;
mod error;
mod host;
mod lab;
mod links;
mod namespace;
mod nft;
mod process;
mod spec;
mod state;

pub use cut::Direction;
pub use down::down;
pub use error::{Error, Result};
pub use host::{Host, HostState, Status};
pub use lab::{Lab, What};
pub use process::DaemonCommand;
pub use spec::{Progress, Role, Spec, folder_of, list};
