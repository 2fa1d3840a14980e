//! One overlay on this host: a namespace with a bridge and a VXLAN device, kept as the caller wants it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::diff::{BridgeChange, Changes, Device, DeviceChange, Present, Underlay, diff, wanted};
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::link::{self, Link, Vxlan, links};
use crate::netlink::neighbour::{self, forwardings, neighbours};
use crate::netlink::route::{addresses, destinations};
use crate::netlink::{Batch, Protocol, Socket};
use crate::virtual_ip::{Slots, arranged};
use crate::{Error, Ipv4Net, Mac, Overlay};

const BRIDGE: &str = "br0";
const DEVICE: &str = "vx0";
const LOOPBACK_INDEX: u32 = 1;

/// Is an overlay's namespace on this host.
#[derive(Debug)]
pub(crate) struct OverlayNamespace {
    id: String,
    path: PathBuf,
    namespace: NamespaceHandle,
    socket: Socket,
    known: Mutex<Known>,
    /// How many containers of this host take part.
    uses: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    /// What the namespace holds; `None` if that has to be read from the kernel first.
    present: Option<Present>,
    /// How containers join, as last applied.
    terms: Option<Terms>,
    wanted: bool,
    virtual_ips: Slots,
}

/// Is what a container needs to know to take part.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    pub(crate) routes: Vec<Ipv4Net>,
    /// Whether containers reach the routes alone.
    pub(crate) is_parted: bool,
}

impl OverlayNamespace {
    /// Makes the namespace, empty. The calling thread is left inside it.
    pub(crate) fn create(id: &str, path: PathBuf) -> Result<OverlayNamespace, Error> {
        let namespace = namespace::create(&path)?;
        let made = set_kernel_options().and_then(|()| OverlayNamespace::new(id, path.clone(), namespace));
        made.inspect_err(|_| {
            let _ = namespace::release(&path);
        })
    }

    /// Takes over a namespace that is there. The calling thread must be inside it.
    pub(crate) fn adopt(
        id: &str,
        path: PathBuf,
        namespace: NamespaceHandle,
    ) -> Result<OverlayNamespace, Error> {
        OverlayNamespace::new(id, path, namespace)
    }

    fn new(id: &str, path: PathBuf, namespace: NamespaceHandle) -> Result<OverlayNamespace, Error> {
        let socket =
            Socket::open(Protocol::Route).map_err(Error::kernel(format!("open a socket in network {id}")))?;
        Ok(OverlayNamespace {
            id: id.to_owned(),
            path,
            namespace,
            socket,
            known: Mutex::default(),
            uses: AtomicUsize::new(0),
        })
    }

    pub(crate) fn namespace(&self) -> Result<NamespaceHandle, Error> {
        self.namespace.try_clone()
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Returns how containers join, once the overlay was applied.
    pub(crate) fn terms(&self) -> Result<Terms, Error> {
        self.known().terms.clone().ok_or_else(|| Error::UnknownOverlay { network: self.id.clone() })
    }

    /// Returns the virtual addresses, and what each stands for.
    pub(crate) fn virtual_ips(&self) -> Slots {
        self.known().virtual_ips.clone()
    }

    pub(crate) fn join(&self) {
        self.uses.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.uses.fetch_sub(1, Ordering::AcqRel);
    }

    /// Tells whether neither the caller nor a container wants it any more.
    pub(crate) fn is_left_over(&self) -> bool {
        !self.known().wanted && self.uses.load(Ordering::Acquire) == 0
    }

    pub(crate) fn unwant(&self) {
        self.known().wanted = false;
    }

    /// Makes the namespace hold what is wanted.
    pub(crate) fn apply(&self, overlay: &Overlay, underlay: &Underlay, host: &Socket) -> Result<(), Error> {
        let mut known = self.known();
        known.wanted = true;
        known.virtual_ips = arranged(&known.virtual_ips, &overlay.virtual_ips);
        // Taken out while it changes: after a failure the kernel is asked again.
        let present = match known.present.take() {
            Some(present) => present,
            None => self.read()?,
        };
        let target = wanted(overlay, underlay);
        let changes = diff(&target, &present);
        if !changes.is_empty() {
            self.change(&changes, host)?;
        }
        if !changes.is_empty() || known.terms.is_none() {
            let bridge = self.index_of(BRIDGE)?;
            known.terms = Some(Terms { bridge, mtu: 0, routes: Vec::new(), is_parted: false });
        }
        if let Some(terms) = &mut known.terms {
            terms.mtu = overlay.mtu.unwrap_or(underlay.mtu);
            terms.routes.clone_from(&overlay.routes);
            terms.is_parted = overlay.is_parted;
        }
        known.present = Some(target);
        Ok(())
    }

    /// Removes the links and lets go of the namespace.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let mut batch = Batch::default();
        // Left to the kernel's own time, the device would keep its VNI taken for a while.
        batch.remove_link("remove the VXLAN device", link::by_name(DEVICE));
        batch.remove_link("remove the bridge", link::by_name(BRIDGE));
        let links = batch.send(&self.socket, &self.whom());
        namespace::release(&self.path).and(links)
    }

    fn change(&self, changes: &Changes, host: &Socket) -> Result<(), Error> {
        let whom = self.whom();
        let mut batch = Batch::default();
        if matches!(changes.device, DeviceChange::Remake(_)) {
            batch.remove_link("remove the former VXLAN device", link::by_name(DEVICE));
        }
        if let BridgeChange::Make(mac) = changes.bridge {
            batch.set_link("bring up the loopback", link::up(LOOPBACK_INDEX));
            // The device that follows sets the MTU.
            batch.add_link("make the bridge", link::bridge(BRIDGE, u32::from(u16::MAX), mac));
        }
        batch.send(&self.socket, &whom)?;
        if let DeviceChange::Make(device) | DeviceChange::Remake(device) = changes.device {
            self.make_device(&device, host)?;
        }
        let mut batch = Batch::default();
        self.fill(&mut batch, changes)?;
        batch.send(&self.socket, &whom)?;
        if changes.device == DeviceChange::Keep { Ok(()) } else { link::await_up(&self.socket, BRIDGE) }
    }

    /// Makes the device out of the host's namespace, where its UDP socket has to be.
    fn make_device(&self, device: &Device, host: &Socket) -> Result<(), Error> {
        let Device { vni, local, port, mtu } = *device;
        let vxlan = Vxlan { name: DEVICE, vni, local, port, mtu, namespace: self.namespace.fd() };
        let mut batch = Batch::default();
        batch.add_link(format!("make a VXLAN device with VNI {vni}"), vxlan.message());
        batch.send(host, &self.whom())?;
        let bridge = self.index_of(BRIDGE)?;
        let mut batch = Batch::default();
        for step in link::static_port(DEVICE, bridge) {
            batch.set_link("join the VXLAN device to the bridge", step);
        }
        batch.set_link("set the bridge's MTU", link::with_mtu(bridge, mtu));
        batch.send(&self.socket, &self.whom())
    }

    fn fill(&self, batch: &mut Batch, changes: &Changes) -> Result<(), Error> {
        let links = links(&self.socket)?;
        let bridge = self.found(&links, BRIDGE)?.index;
        let device = self.found(&links, DEVICE)?.index;
        if let BridgeChange::Readdress(mac) = changes.bridge {
            batch.set_link("set the bridge's hardware address", link::with_mac(bridge, mac));
        }
        for net in &changes.remove_addresses {
            batch.remove_address(bridge, *net);
        }
        for net in &changes.add_addresses {
            batch.add_address(bridge, *net);
        }
        for net in &changes.add_routes {
            batch.add_link_route(bridge, *net);
        }
        for mac in &changes.remove_forwardings {
            batch.remove_neighbour("remove a forwarding entry", neighbour::forwarding_key(device, *mac));
        }
        for address in &changes.remove_neighbours {
            batch.remove_neighbour(
                "remove a neighbour",
                neighbour::neighbour(device, *address, Mac::default()),
            );
        }
        for (mac, node) in &changes.put_forwardings {
            batch.put_neighbour("put a forwarding entry", neighbour::forwarding(device, *mac, *node));
        }
        for (address, mac) in &changes.put_neighbours {
            batch.put_neighbour("put a neighbour", neighbour::neighbour(device, *address, *mac));
        }
        Ok(())
    }

    /// Reads what the namespace holds.
    fn read(&self) -> Result<Present, Error> {
        let links = links(&self.socket)?;
        let bridge = link::named(&links, BRIDGE);
        let mut present = Present { bridge: bridge.and_then(|link| link.mac), ..Present::default() };
        if let Some(bridge) = bridge {
            let all = addresses(&self.socket)?;
            let own = all.iter().filter(|found| found.link == bridge.index);
            present.addresses = own.filter_map(|found| found.v4()).collect();
            present.routes = destinations(&self.socket)?.into_iter().collect();
        }
        if let Some((device, identity)) =
            link::named(&links, DEVICE).and_then(|link| Some((link, link.vxlan?)))
        {
            let link::Identity { vni, local, port } = identity;
            present.device = Some(Device { vni, local, port, mtu: device.mtu });
            present.neighbours = neighbours(&self.socket, device.index)?.into_iter().collect();
            present.forwardings = forwardings(&self.socket, device.index)?.into_iter().collect();
        }
        Ok(present)
    }

    fn index_of(&self, name: &str) -> Result<u32, Error> {
        Ok(self.found(&links(&self.socket)?, name)?.index)
    }

    fn found<'a>(&self, links: &'a [Link], name: &str) -> Result<&'a Link, Error> {
        let gone = || {
            Error::kernel(format!("find the link {name} of {}", self.whom()))(io::ErrorKind::NotFound.into())
        };
        link::named(links, name).ok_or_else(gone)
    }

    fn whom(&self) -> String {
        format!("network {}", self.id)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is known is put back only when it is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an overlay's namespace a mere switch. The calling thread must be inside it.
fn set_kernel_options() -> Result<(), Error> {
    namespace::set_option("net/ipv4/ip_forward", "0")?;
    // Frames between containers need no packet filter and no connection tracking here.
    namespace::set_option_if_there("net/bridge/bridge-nf-call-iptables", "0")?;
    namespace::set_option_if_there("net/ipv6/conf/default/disable_ipv6", "1")
}
