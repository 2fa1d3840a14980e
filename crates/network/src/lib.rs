//! Gives containers their networks on this host: the host's own bridges with egress and published ports, and
//! overlays that reach containers on other nodes once the node has an address towards them. Inside a container, virtual
//! addresses stand for several endpoints, and questions for names lead to sockets of whoever answers them.
//!
//! [`Network`] owns everything it makes on one host. [`Network::apply`] takes the wanted [`Overlay`]s and sends the
//! kernel only the difference; [`Network::attach`] builds a container's namespace with its interfaces and returns its
//! path as [`Attached`].
//!
//! A *host* is the network namespace of the thread that calls [`Network::open`]: several may share one kernel, so
//! nothing here has a global name. What exists is found again after a restart through [`Config::run`].
//!
//! It never floods or learns (peers come from the caller alone), never runs `ip`, `nft` or iptables, never decides
//! which addresses exist, and knows nothing of services or tasks.

mod address;
mod adopt;
mod balancing;
mod bridge;
mod container;
mod diff;
mod error;
mod host;
mod host_port;
mod inside;
mod namespace;
mod netlink;
mod network;
mod nft;
mod overlay;
mod pool;
mod record;
mod relay;
mod underlay;
mod virtual_ip;

pub use address::{Ipv4Net, Mac, ParseNetError, mac_of};
pub use bridge::Bridge;
pub use container::{Attached, Attachment, BridgeInterface, OverlayAddress, Uplink};
pub use diff::{Overlay, Peer};
pub use error::Error;
pub use host_port::{HostPort, Protocol};
pub use inside::{RESOLVER, Resolver, ResolverSockets};
pub use namespace::NamespaceHandle;
pub use network::{Config, Network};
pub use virtual_ip::VirtualIp;
