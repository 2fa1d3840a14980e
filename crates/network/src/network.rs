//! Everything of one host's networks behind one handle.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::container::{Build, Host};
use crate::diff::{Underlay, check};
use crate::host_port::Reservation;
use crate::namespace::{self, NamespaceHandle, on_thread};
use crate::netlink::link::{self, links};
use crate::netlink::route::addresses;
use crate::netlink::{Batch, Protocol, Socket};
use crate::nft::{Endpoint, Published, Table};
use crate::overlay::OverlayNamespace;
use crate::pool::Pool;
use crate::record::Record;
use crate::{Attached, Attachment, Error, HostPort, Ipv4Net, Overlay, bridge};

/// Says where a host keeps its namespaces and which addresses it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folder for the namespaces and what is remembered of them; emptied by a reboot or by [`Network::destroy`].
    pub run: PathBuf,
    /// This node's address towards the others; the link that has it carries the overlays.
    pub underlay: IpAddr,
    /// Range of the node's own bridge; another private one is taken if it overlaps with a route of the host.
    pub bridge_subnet: Ipv4Net,
    /// UDP port of the overlays' packets, the same on every node.
    pub vxlan_port: u16,
}

impl Config {
    /// Returns the defaults for a run folder and a node address.
    pub fn new(run: impl Into<PathBuf>, underlay: IpAddr) -> Config {
        let bridge_subnet = Ipv4Net::new(Ipv4Addr::new(172, 31, 0, 0), 16).expect("16 bits are at most 32");
        Config { run: run.into(), underlay, bridge_subnet, vxlan_port: 4789 }
    }
}

/// Owns the networks of one host; clones share them.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folders: Folders,
    host: NamespaceHandle,
    socket: Socket,
    table: Table,
    bridge: u32,
    bridge_mtu: u32,
    underlay: Underlay,
    interface_names: AtomicU32,
    /// Held while overlays are made or removed, so that two calls never build the same one.
    applying: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Folders {
    namespaces: PathBuf,
    overlays: PathBuf,
    records: PathBuf,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    overlays: BTreeMap<String, Arc<OverlayNamespace>>,
    containers: BTreeMap<String, Slot>,
}

#[derive(Debug)]
enum Slot {
    /// A call is building or removing it.
    Busy,
    Attached(Box<Holding>),
}

/// Is what is held for one container.
#[derive(Debug)]
struct Holding {
    record: Record,
    /// Dropped with the container; nothing else is done with them.
    _reservations: Vec<Reservation>,
    overlays: Vec<Arc<OverlayNamespace>>,
}

impl Holding {
    fn published(&self) -> Vec<Published> {
        self.record.host_ports.iter().map(|(_, given)| given.published()).collect()
    }
}

impl Network {
    /// Takes over what an earlier run left on the calling thread's host, and makes what is missing.
    pub fn open(config: Config) -> Result<Network, Error> {
        let Config { run, underlay, bridge_subnet, vxlan_port } = config;
        let folders = Folders::make(&run)?;
        let open = |protocol| {
            Socket::open(protocol).map_err(Error::kernel("open a netlink socket (root is needed)"))
        };
        let socket = open(Protocol::Route)?;
        let table = Table::new(open(Protocol::Netfilter)?);
        let carrier = bridge::underlay_link(&links(&socket)?, &addresses(&socket)?, underlay)?;
        let overlay_mtu = carrier.mtu.saturating_sub(header_bytes(underlay));
        if overlay_mtu < OVERLAY_MTU_MIN {
            return Err(Error::SmallMtu { link: carrier.index, mtu: carrier.mtu });
        }
        let mtu = carrier.mtu.min(u32::from(u16::MAX));
        let (bridge, subnet) = bridge::ensure(&socket, bridge_subnet, mtu)?;
        let inner = Inner {
            folders,
            host: NamespaceHandle::of_this_thread()?,
            socket,
            table,
            bridge,
            bridge_mtu: mtu,
            underlay: Underlay { address: underlay, port: vxlan_port, mtu: overlay_mtu.min(MTU_MAX) },
            interface_names: AtomicU32::new(any_number()),
            applying: Mutex::default(),
            state: Mutex::new(State {
                pool: Pool::new(subnet),
                overlays: BTreeMap::new(),
                containers: BTreeMap::new(),
            }),
        };
        inner.adopt()?;
        Ok(Network { inner: Arc::new(inner) })
    }

    /// Builds a container's namespace with its interfaces and published ports.
    ///
    /// Asked again for what the container has, it changes nothing; asked for something else, it builds it anew. The
    /// overlays must have been applied before.
    pub async fn attach(&self, container_id: &str, attachment: &Attachment) -> Result<Attached, Error> {
        let (inner, id, attachment) = (self.inner.clone(), container_id.to_owned(), attachment.clone());
        let work = move || inner.attach(&id, &attachment);
        on_thread(&self.inner.host, "attach a container", work).await
    }

    /// Removes a container's namespace and published ports; nothing happens if it has none.
    pub async fn detach(&self, container_id: &str) -> Result<(), Error> {
        let (inner, id) = (self.inner.clone(), container_id.to_owned());
        on_thread(&self.inner.host, "detach a container", move || inner.detach(&id)).await
    }

    /// Makes the host's overlays be those wanted; one that still has containers outlives its absence here.
    ///
    /// Every overlay is tried; the first failure is returned.
    pub async fn apply(&self, wanted: &[Overlay]) -> Result<(), Error> {
        let (inner, wanted) = (self.inner.clone(), wanted.to_vec());
        on_thread(&self.inner.host, "apply overlays", move || inner.apply(&wanted)).await
    }

    /// Opens an overlay's namespace, for threads that shall work inside it.
    pub fn enter_overlay(&self, network_id: &str) -> Result<NamespaceHandle, Error> {
        let overlay = self.inner.state().overlays.get(network_id).cloned();
        overlay.ok_or_else(|| Error::UnknownOverlay { network: network_id.to_owned() })?.namespace()
    }

    /// Lists the containers that have a namespace, with what they were given.
    pub fn attached(&self) -> BTreeMap<String, Attached> {
        let state = self.inner.state();
        let attached = state.containers.iter().filter_map(|(id, slot)| match slot {
            Slot::Attached(holding) => Some((id.clone(), self.inner.describe(id, &holding.record))),
            Slot::Busy => None,
        });
        attached.collect()
    }

    /// Returns the range of the node's own bridge.
    pub fn bridge_subnet(&self) -> Ipv4Net {
        self.inner.state().pool.subnet()
    }

    /// Removes everything this host's networks are made of; the handle is of no use afterwards.
    ///
    /// Forwarding stays on, as others may rely on it by then.
    pub async fn destroy(&self) -> Result<(), Error> {
        let inner = self.inner.clone();
        on_thread(&self.inner.host, "remove the networks", move || inner.destroy()).await
    }
}

/// Below this an overlay could not carry what every IPv4 host must take.
const OVERLAY_MTU_MIN: u32 = 576;
/// A loopback underlay has 65536 and more; devices take 16 bits.
const MTU_MAX: u32 = 65_000;

/// Returns how much of each packet VXLAN takes: Ethernet 14, VXLAN 8, UDP 8, and the IP header.
const fn header_bytes(underlay: IpAddr) -> u32 {
    match underlay {
        IpAddr::V4(_) => 50,
        IpAddr::V6(_) => 70,
    }
}

/// Returns a number that an earlier run of this host hardly started from too.
fn any_number() -> u32 {
    std::collections::hash_map::RandomState::new().build_hasher().finish() as u32
}

impl Folders {
    fn make(run: &Path) -> Result<Folders, Error> {
        let folder = |name: &str| run.join(name);
        let folders = Folders {
            namespaces: folder("netns"),
            overlays: folder("overlays"),
            records: folder("attached"),
        };
        for folder in [&folders.namespaces, &folders.overlays, &folders.records] {
            fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        Ok(folders)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, id: &str, record: &Record) -> Attached {
        Attached {
            namespace: self.folders.namespaces.join(id),
            bridge_address: record.bridge_address,
            host_ports: record.host_ports.iter().map(|(_, given)| *given).collect(),
        }
    }

    /// Finds what an earlier run left; what it left half-made is removed.
    fn adopt(&self) -> Result<(), Error> {
        for id in namespace::names(&self.folders.overlays)? {
            self.adopt_overlay(&id)?;
        }
        for id in namespace::names(&self.folders.namespaces)? {
            self.adopt_container(&id)?;
        }
        for id in namespace::names(&self.folders.records)? {
            if !self.state().containers.contains_key(&id) {
                Record::remove(&self.folders.records.join(&id))?;
            }
        }
        let (subnet, ports) = {
            let state = self.state();
            let records = state.containers.values().filter_map(|slot| match slot {
                Slot::Attached(holding) => Some(redirects(&holding.record)),
                Slot::Busy => None,
            });
            (state.pool.subnet(), records.flatten().collect::<Vec<_>>())
        };
        self.table.replace(bridge::NAME, subnet, &ports)
    }

    fn adopt_overlay(&self, id: &str) -> Result<(), Error> {
        let path = self.folders.overlays.join(id);
        let Some(namespace) = NamespaceHandle::at(&path)? else {
            return namespace::release(&path);
        };
        let inside = namespace.try_clone()?;
        let adopt = || OverlayNamespace::adopt(id, path, namespace);
        let overlay = namespace::visit(&inside, "take over an overlay", adopt)?;
        self.state().overlays.insert(id.to_owned(), Arc::new(overlay));
        Ok(())
    }

    fn adopt_container(&self, id: &str) -> Result<(), Error> {
        let path = self.folders.namespaces.join(id);
        let held = NamespaceHandle::at(&path)?;
        let record = Record::read(&self.folders.records.join(id))?;
        let (Some(_), Some(record)) = (held, record) else {
            return namespace::release(&path);
        };
        let mut reservations = Vec::new();
        for (_, given) in &record.host_ports {
            match Reservation::take(given) {
                Ok((reservation, _)) => reservations.push(reservation),
                // The container was there first: its clients keep reaching it.
                Err(error) => tracing::warn!(container = id, %error, "published port was taken while away"),
            }
        }
        let mut state = self.state();
        if let Some(address) = record.bridge_address {
            state.pool.adopt(address);
        }
        let ids = record.overlays.iter().map(|place| &place.network_id);
        let overlays: Vec<_> = ids.filter_map(|id| state.overlays.get(id).cloned()).collect();
        overlays.iter().for_each(|overlay| overlay.join());
        let holding = Holding { record, _reservations: reservations, overlays };
        state.containers.insert(id.to_owned(), Slot::Attached(Box::new(holding)));
        Ok(())
    }

    fn attach(&self, id: &str, attachment: &Attachment) -> Result<Attached, Error> {
        let path = namespace::path(&self.folders.namespaces, id)?;
        if let Some(former) = self.occupy(id)? {
            if former.record.answers(attachment) {
                let attached = self.describe(id, &former.record);
                self.settle(id, Some(former));
                return Ok(attached);
            }
            self.dismantle(id, *former)?;
        }
        match self.build(id, &path, attachment) {
            Ok(holding) => {
                let attached = self.describe(id, &holding.record);
                self.settle(id, Some(Box::new(holding)));
                Ok(attached)
            }
            Err(error) => {
                self.settle(id, None);
                Err(error)
            }
        }
    }

    fn detach(&self, id: &str) -> Result<(), Error> {
        namespace::path(&self.folders.namespaces, id)?;
        let former = self.occupy(id)?;
        let result = former.map_or(Ok(()), |former| self.dismantle(id, *former));
        self.settle(id, None);
        result
    }

    /// Keeps other calls from the container and returns what it had.
    fn occupy(&self, id: &str) -> Result<Option<Box<Holding>>, Error> {
        match self.state().containers.insert(id.to_owned(), Slot::Busy) {
            None => Ok(None),
            Some(Slot::Attached(former)) => Ok(Some(former)),
            Some(Slot::Busy) => Err(Error::Busy { container: id.to_owned() }),
        }
    }

    /// Lets other calls to the container again.
    fn settle(&self, id: &str, holding: Option<Box<Holding>>) {
        let mut state = self.state();
        match holding {
            Some(holding) => state.containers.insert(id.to_owned(), Slot::Attached(holding)),
            None => state.containers.remove(id),
        };
    }

    fn build(&self, id: &str, path: &Path, attachment: &Attachment) -> Result<Holding, Error> {
        let mut reservations = Vec::new();
        let mut host_ports: Vec<(HostPort, HostPort)> = Vec::new();
        for asked in &attachment.host_ports {
            let (reservation, given) = Reservation::take(asked)?;
            reservations.push(reservation);
            host_ports.push((*asked, given));
        }
        let needs_bridge = attachment.egress || !attachment.host_ports.is_empty();
        let (bridge_address, overlays) = self.take_places(attachment, needs_bridge)?;
        let record = Record { bridge_address, overlays: attachment.overlays.clone(), host_ports };
        let holding = Holding { record, _reservations: reservations, overlays };
        match self.build_kernel_side(id, path, &holding) {
            Ok(()) => Ok(holding),
            Err(error) => {
                let _ = self.dismantle(id, holding);
                Err(error)
            }
        }
    }

    /// Takes an address on the bridge and a place in each overlay.
    fn take_places(
        &self,
        attachment: &Attachment,
        needs_bridge: bool,
    ) -> Result<(Option<Ipv4Addr>, Vec<Arc<OverlayNamespace>>), Error> {
        let mut state = self.state();
        let find = |id: &String| {
            let found = state.overlays.get(id).cloned();
            found.ok_or_else(|| Error::UnknownOverlay { network: id.clone() })
        };
        let overlays: Vec<_> =
            attachment.overlays.iter().map(|place| find(&place.network_id)).collect::<Result<_, _>>()?;
        let address = if needs_bridge { Some(state.pool.take()?) } else { None };
        overlays.iter().for_each(|overlay| overlay.join());
        Ok((address, overlays))
    }

    fn build_kernel_side(&self, id: &str, path: &Path, holding: &Holding) -> Result<(), Error> {
        let (gateway, prefix) = {
            let state = self.state();
            (state.pool.gateway(), state.pool.subnet().prefix())
        };
        let record = &holding.record;
        let host = Host {
            socket: &self.socket,
            bridge: self.bridge,
            mtu: self.bridge_mtu,
            gateway,
            prefix,
            isolate: !bridge::is_filtered(),
            names: &self.interface_names,
        };
        let overlays = holding.overlays.iter().cloned().zip(record.overlays.iter().cloned()).collect();
        let build = Build { id, path, host, overlays, bridge_address: record.bridge_address };
        build.run()?;
        self.table.publish(&redirects(record))?;
        record.write(&self.folders.records.join(id))
    }

    /// Takes everything back that a container was given, as far as it goes.
    fn dismantle(&self, id: &str, holding: Holding) -> Result<(), Error> {
        let withdrawn = self.table.withdraw(&holding.published());
        // The namespace's end removes its interfaces, in the kernel's own time: waiting for it takes 36 ms each.
        let released = namespace::release(&self.folders.namespaces.join(id));
        let forgotten = Record::remove(&self.folders.records.join(id));
        {
            let mut state = self.state();
            if let Some(address) = holding.record.bridge_address {
                state.pool.free(address);
            }
            holding.overlays.iter().for_each(|overlay| overlay.leave());
        }
        let left_over = holding.overlays.iter().any(|overlay| overlay.is_left_over());
        drop(holding);
        let removed = if left_over { self.remove_left_over() } else { Ok(()) };
        withdrawn.and(released).and(forgotten).and(removed)
    }

    fn apply(&self, wanted: &[Overlay]) -> Result<(), Error> {
        check(wanted)?;
        for overlay in wanted {
            namespace::path(&self.folders.overlays, &overlay.network_id)?;
        }
        let applying = self.applying();
        let unwanted: Vec<_> = {
            let state = self.state();
            let is_wanted = |id: &str| wanted.iter().any(|overlay| overlay.network_id == id);
            state
                .overlays
                .iter()
                .filter(|(id, _)| !is_wanted(id))
                .map(|(_, overlay)| overlay.clone())
                .collect()
        };
        unwanted.iter().for_each(|overlay| overlay.unwant());
        drop(applying);
        let mut result = self.remove_left_over();
        let _applying = self.applying();
        for overlay in wanted {
            let applied = self
                .overlay(&overlay.network_id)
                .and_then(|namespace| namespace.apply(overlay, &self.underlay, &self.socket));
            result = result.and(applied);
        }
        result
    }

    /// Returns an overlay's namespace, made if it is missing.
    fn overlay(&self, id: &str) -> Result<Arc<OverlayNamespace>, Error> {
        if let Some(overlay) = self.state().overlays.get(id) {
            return Ok(overlay.clone());
        }
        let path = namespace::path(&self.folders.overlays, id)?;
        let create = || OverlayNamespace::create(id, path);
        let overlay = Arc::new(namespace::visit(&self.host, "make an overlay", create)?);
        self.state().overlays.insert(id.to_owned(), overlay.clone());
        Ok(overlay)
    }

    fn remove_left_over(&self) -> Result<(), Error> {
        let _applying = self.applying();
        let left_over: Vec<_> = {
            let mut state = self.state();
            let ids: Vec<_> = state.overlays.iter().filter(|(_, overlay)| overlay.is_left_over()).collect();
            let ids: Vec<_> = ids.into_iter().map(|(id, _)| id.clone()).collect();
            ids.iter().filter_map(|id| state.overlays.remove(id)).collect()
        };
        left_over.iter().map(|overlay| overlay.remove()).fold(Ok(()), Result::and)
    }

    fn applying(&self) -> MutexGuard<'_, ()> {
        // It guards an order of steps, not data.
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn destroy(&self) -> Result<(), Error> {
        let ids: Vec<_> = self.state().containers.keys().cloned().collect();
        let mut result = ids.iter().map(|id| self.detach(id)).fold(Ok(()), Result::and);
        self.state().overlays.values().for_each(|overlay| overlay.unwant());
        result = result.and(self.remove_left_over());
        result = result.and(self.table.remove());
        let mut batch = Batch::default();
        batch.remove_link("remove the bridge", link::by_name(bridge::NAME));
        result = result.and(batch.send(&self.socket, bridge::NAME));
        for folder in [&self.folders.namespaces, &self.folders.overlays, &self.folders.records] {
            if let Err(source) = fs::remove_dir_all(folder) {
                result = result.and(Err(Error::file("remove", folder)(source)));
            }
        }
        result
    }
}

/// Returns where each published port leads.
fn redirects(record: &Record) -> Vec<(Published, Endpoint)> {
    let Some(address) = record.bridge_address else { return Vec::new() };
    let ports = record.host_ports.iter();
    ports.map(|(_, given)| (given.published(), Endpoint::new(address, given.target))).collect()
}
