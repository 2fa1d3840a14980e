//! The cgroups of one container in every hierarchy of this host, of version 1, version 2 or both.
//!
//! [`Cgroups`] finds them by their path, freezes and kills what is in them, removes them, and says whether memory ran
//! out. [`Joinable`] makes them with their limits and takes processes in; [`Cgroups::limit`] changes the limits of those
//! that live. [`Resources`] says in plain values what is limited, [`Devices`] what may be done with which devices.
//!
//! This crate never knows what runs in a cgroup, and reads no figures from it.

mod cgroups;
mod device;
mod device_filter;
mod freezer;
mod join;
mod kernel;
mod limits;
mod moves;
mod pidfd;
mod resources;

pub use cgroups::{Cgroup, Cgroups};
pub use device::{Access, Devices, Kind as DeviceKind, Rule as DeviceRule};
pub use join::{Joinable, Visit};
pub use limits::Moment;
pub use moves::favor_moves;
pub use pidfd::Pidfd;
pub use resources::Resources;
