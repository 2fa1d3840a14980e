//! What can go wrong with a host's networks.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::Ipv4Net;

/// Says what was being done to which object when it failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a change or a question.
    #[error("{action}")]
    Kernel {
        /// What was being done, and to what.
        action: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file or folder below the run folder could not be used.
    #[error("{action} {path}")]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No link of this host has the node's address.
    #[error(
        "no link of this host has the address {address}; give the node an address that is configured here"
    )]
    NoUnderlay {
        /// The address that was looked for.
        address: IpAddr,
    },
    /// The underlay's MTU leaves no room for an overlay.
    #[error(
        "the link {link} has an MTU of {mtu}, which leaves no room for overlays; raise it to 1400 or more"
    )]
    SmallMtu {
        /// The underlay link's index.
        link: u32,
        /// Its MTU.
        mtu: u32,
    },
    /// Overlays are wanted before this node was given the address that they need.
    #[error("this node has no address for networks that span nodes yet")]
    NotConnected,
    /// Every private range for a bridge collides with a route of the host.
    #[error(
        "no free range for a bridge: {wanted} and all others overlap with routes of this host; set another"
    )]
    NoFreeSubnet {
        /// The range that was asked for.
        wanted: Ipv4Net,
    },
    /// A bridge has no address left.
    #[error("no address is left in {subnet}, the range of this host's bridge")]
    NoFreeAddress {
        /// The bridge's range.
        subnet: Ipv4Net,
    },
    /// A container or network id cannot be a file name.
    #[error("{id:?} cannot name a namespace: use letters, digits, '_', '.' and '-'")]
    BadId {
        /// The id that was given.
        id: String,
    },
    /// The container takes part in an overlay this host was not told of.
    #[error("the network {network} is not known on this host yet")]
    UnknownOverlay {
        /// The network's id.
        network: String,
    },
    /// An overlay's description contradicts itself.
    #[error("the network {network} cannot be applied: {reason}")]
    BadOverlay {
        /// The network's id.
        network: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The container has no namespace here.
    #[error("container {container} has no networks on this host")]
    NotAttached {
        /// The container's id.
        container: String,
    },
    /// Another call is working on the same container.
    #[error("the networks of container {container} are being changed by another call")]
    Busy {
        /// The container's id.
        container: String,
    },
    /// A published port is taken by another container or process; Docker's users know the text.
    #[error("Bind for {} failed: port is already allocated", .port.split('/').next().unwrap_or(.port))]
    PortInUse {
        /// Host address, port and protocol, as a user writes them.
        port: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A published port cannot be had, for a reason other than that it is taken.
    #[error("failed to bind host port {port}")]
    PortRefused {
        /// Host address, port and protocol, as a user writes them.
        port: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The thread that did the work is gone.
    #[error("the thread that was to {action} ended early")]
    Thread {
        /// What it was to do.
        action: &'static str,
    },
}

impl Error {
    pub(crate) fn kernel(action: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let action = action.into();
        move |source| Error::Kernel { action, source }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { action, path, source }
    }
}
