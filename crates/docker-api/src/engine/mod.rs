//! What the API needs of this host, one trait per noun.

mod archive;
mod container;
mod exec;
mod image;
mod logs;
mod network;
mod stream;
mod swarm;
mod system;
mod volume;

pub use archive::{Archives, Unpack};
pub use container::{Attach, ContainerRemoval, Containers, Size, Stop, WaitFor, Waiting};
pub use exec::Execs;
pub use image::{Images, Import, Removal};
pub use logs::{ContainerLogs, LogLine, Logs, LogsWanted, Output};
pub use network::Networks;
pub use stream::{ByteStream, Connection, Duplex, EventStream, ProgressStream, Session};
pub use swarm::{LocalState, Membership, Swarm};
pub use system::{System, UsageOf};
pub use volume::{Onto, VolumeOn, Volumes};

/// What the API needs of this host. Implemented where the daemon is put together.
///
/// A client may hang up at any time, and what runs for it is dropped then, except for the three
/// changes of membership, which the API carries to their end. Names are taken as the client wrote
/// them: a name, an id or the beginning of one.
pub trait Engine:
    System + Swarm + Images + Containers + Archives + Logs + Execs + Volumes + Networks
{
}

impl<T: System + Swarm + Images + Containers + Archives + Logs + Execs + Volumes + Networks> Engine for T {}
