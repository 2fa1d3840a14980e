//! One container's namespace: an interface per overlay, and one on the node's bridge.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bridge::Bridge;
use crate::host_port::HostPort;
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::link::{self, Veth, links};
use crate::netlink::{Batch, Protocol, Socket};
use crate::overlay::OverlayNamespace;
use crate::{Error, Ipv4Net, Mac, Resolver, mac_of};

const LOOPBACK_INDEX: u32 = 1;

/// Is what a container shall be connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The overlays it takes part in, in the order of its interfaces `eth0`, `eth1` and so on.
    pub overlays: Vec<OverlayAddress>,
    /// Whether it reaches the world outside; host ports imply it.
    pub egress: bool,
    /// Ports of this host that lead to it.
    pub host_ports: Vec<HostPort>,
}

/// Is a container's place in one overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayAddress {
    /// The network's id, as it was applied.
    pub network_id: String,
    /// The container's address there.
    pub address: Ipv4Addr,
    /// The length of the network's prefix.
    pub prefix: u8,
    /// The container's hardware address there.
    pub mac: Mac,
}

/// Says how a container is on one of the host's own bridges, if it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uplink {
    /// The bridge.
    pub bridge: Bridge,
    /// The container's hardware address there; one made from its address if absent.
    pub mac: Option<Mac>,
}

/// Is a container's interface on one of the host's own bridges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeInterface {
    /// The bridge.
    pub bridge: Bridge,
    /// Its name inside the container.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The length of the bridge's prefix.
    pub prefix: u8,
    /// The host's address on the bridge.
    pub gateway: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
}

/// Is what a container was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its network namespace, for `setns`, also of containers that share it.
    pub namespace: PathBuf,
    /// Its address on the host's own bridge.
    pub bridge_address: Option<Ipv4Addr>,
    /// Its interface on the host's own bridge; without one, and without overlays, it has its loopback alone.
    pub interface: Option<BridgeInterface>,
    /// Its places in overlays, in the order of its interfaces.
    pub overlays: Vec<OverlayAddress>,
    /// Set if its questions for names lead to sockets that [`Network::open_resolver`] opened.
    ///
    /// [`Network::open_resolver`]: crate::Network::open_resolver
    pub resolver: Option<Resolver>,
    /// The ports of this host that lead to it, with the ones the kernel chose.
    pub host_ports: Vec<HostPort>,
}

/// Is the host's side of a container's interfaces.
pub(crate) struct Host<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) uplink: Uplink,
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) prefix: u8,
    /// Whether frames from port to port have to be stopped by the bridge itself.
    pub(crate) isolate: bool,
    /// Gives each pair of interfaces a name of its own.
    pub(crate) names: &'a AtomicU32,
}

/// Is everything needed to build one container's namespace.
pub(crate) struct Build<'a> {
    pub(crate) id: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) host: Host<'a>,
    pub(crate) overlays: Vec<(Arc<OverlayNamespace>, OverlayAddress)>,
    pub(crate) bridge_address: Option<Ipv4Addr>,
}

/// Is an interface inside the container and what is routed over it.
struct Interface<'a> {
    name: String,
    /// The other end's name, and the socket of the namespace it is in.
    outside: (String, &'a Socket),
    address: Ipv4Net,
    /// Whether it reaches others of its range.
    reach: Reach,
    routes: Vec<Ipv4Net>,
    gateway: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Range,
    RoutesAlone,
}

impl Build<'_> {
    /// Makes the namespace with all its interfaces; nothing is left of it after a failure.
    ///
    /// The calling thread is left inside the namespace.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let namespace = namespace::create(self.path)?;
        self.fill(&namespace).inspect_err(|_| {
            let _ = namespace::release(self.path);
        })
    }

    fn fill(&self, namespace: &NamespaceHandle) -> Result<(), Error> {
        let socket =
            Socket::open(Protocol::Route).map_err(Error::kernel("open a socket in the container"))?;
        set_kernel_options()?;
        let interfaces = self.make_interfaces(namespace)?;
        let links = links(&socket)?;
        let mut batch = Batch::default();
        batch.set_link("bring up the loopback", link::up(LOOPBACK_INDEX));
        for Interface { name, outside: _, address, reach, routes, gateway } in &interfaces {
            let gone = || Error::kernel(format!("find {name}"))(std::io::ErrorKind::NotFound.into());
            let index = link::named(&links, name).ok_or_else(gone)?.index;
            match reach {
                Reach::Range => batch.add_address(index, *address),
                Reach::RoutesAlone => batch.add_address_without_route(index, *address),
            }
            batch.set_link("bring up an interface", link::up(index));
            for net in routes {
                batch.add_link_route(index, *net);
            }
            if let Some(gateway) = gateway {
                batch.add_default_route(*gateway);
            }
        }
        batch.send(&socket, &self.whom())?;
        for Interface { outside: (name, socket), .. } in &interfaces {
            link::await_up(socket, name)?;
        }
        // The bridge itself goes up with its first port.
        if self.bridge_address.is_some() {
            link::await_up(self.host.socket, self.host.uplink.bridge.name())
        } else {
            Ok(())
        }
    }

    /// Makes each pair of interfaces with its far end already inside and named.
    fn make_interfaces(&self, inside: &NamespaceHandle) -> Result<Vec<Interface<'_>>, Error> {
        let mut interfaces = Vec::new();
        for (overlay, place) in &self.overlays {
            let terms = overlay.terms()?;
            let name = format!("eth{}", interfaces.len());
            let outside = self.outside_name();
            let veth = Veth {
                name: &outside,
                bridge: terms.bridge,
                mtu: terms.mtu,
                inside_name: &name,
                inside_mac: place.mac,
                inside: inside.fd(),
            };
            let mut batch = Batch::default();
            batch.add_link("make an interface", veth.message());
            if terms.is_parted {
                batch.set_link("isolate an interface", link::isolated_port(&outside));
            }
            batch.send(overlay.socket(), &format!("{} in network {}", self.whom(), place.network_id))?;
            let address = Ipv4Net::new(place.address, place.prefix).ok_or_else(|| Error::BadOverlay {
                network: place.network_id.clone(),
                reason: format!("a prefix of {} bits is none", place.prefix),
            })?;
            let outside = (outside, overlay.socket());
            let reach = if terms.is_parted { Reach::RoutesAlone } else { Reach::Range };
            interfaces.push(Interface { name, outside, address, reach, routes: terms.routes, gateway: None });
        }
        if let Some(address) = self.bridge_address {
            interfaces.push(self.make_egress(inside, format!("eth{}", interfaces.len()), address)?);
        }
        Ok(interfaces)
    }

    fn make_egress(
        &self,
        inside: &NamespaceHandle,
        name: String,
        address: Ipv4Addr,
    ) -> Result<Interface<'_>, Error> {
        let outside = self.outside_name();
        let veth = Veth {
            name: &outside,
            bridge: self.host.bridge,
            mtu: self.host.mtu,
            inside_name: &name,
            inside_mac: self.host.uplink.mac.unwrap_or(mac_of(address)),
            inside: inside.fd(),
        };
        let mut batch = Batch::default();
        batch.add_link("make an interface", veth.message());
        let bridge = self.host.uplink.bridge;
        if self.host.isolate {
            batch.set_link("isolate an interface", link::isolated_port(&outside));
        } else {
            // A container may use its own published port.
            batch.set_link("let an interface answer itself", link::hairpin_port(&outside));
        }
        batch.send(self.host.socket, &format!("{} on {}", self.whom(), bridge.name()))?;
        let address =
            Ipv4Net::new(address, self.host.prefix).expect("the length is that of the bridge's range");
        let outside = (outside, self.host.socket);
        let gateway = Some(self.host.gateway);
        Ok(Interface { name, outside, address, reach: Reach::Range, routes: Vec::new(), gateway })
    }

    fn outside_name(&self) -> String {
        format!("dv{:08x}", self.host.names.fetch_add(1, Ordering::Relaxed))
    }

    fn whom(&self) -> String {
        format!("container {}", self.id)
    }
}

/// Gives a container's namespace the options Docker gives it. The calling thread must be inside it.
fn set_kernel_options() -> Result<(), Error> {
    namespace::set_option("net/ipv4/ip_unprivileged_port_start", "0")?;
    namespace::set_option("net/ipv4/ping_group_range", "0 2147483647")?;
    // The host would advise a direct way to a container behind a published port, and that way is shut.
    namespace::set_option("net/ipv4/conf/all/accept_redirects", "0")?;
    namespace::set_option("net/ipv4/conf/default/accept_redirects", "0")?;
    // Without IPv6 addresses of its own, a link would only wait for duplicates of its local one.
    namespace::set_option_if_there("net/ipv6/conf/default/disable_ipv6", "1")
}
