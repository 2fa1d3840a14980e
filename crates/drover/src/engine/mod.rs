//! This host for the Engine API: [`docker_api::Engine`] over the daemon's parts, one file per noun.

mod archive;
mod container;
mod exec;
mod image;
mod log;
mod network;
mod refusal;
mod session;
pub mod stream;
mod swarm;
mod system;
mod volume;

use std::sync::Arc;

use ::image::Images;

use crate::collector::Collector;
use crate::host::Host;
use crate::member::Member;

/// This host for the Engine API.
pub struct Engine {
    /// Facts about this host.
    pub host: Host,
    /// Where everything is kept, for `info`.
    pub data_root: String,
    /// The images.
    pub images: Images,
    /// The containers, and what they have.
    pub engine: engine::Engine,
    /// What keeps images from filling the disk.
    pub collector: Arc<Collector>,
    /// This host's place in a cluster.
    pub member: Arc<Member>,
}
