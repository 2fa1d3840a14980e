//! What one host's networks are made of, and how containers and overlays come and go.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bridge::{self, PerBridge};
use crate::container::{self, Build};
use crate::diff::{Underlay, check};
use crate::host_port::Reservation;
use crate::inside::Inside;
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::{Batch, Socket, link};
use crate::nft::{Endpoint, Published, Table};
use crate::overlay::OverlayNamespace;
use crate::pool::Pool;
use crate::record::Record;
use crate::relay::{Relay, Relaying};
use crate::{
    Attached, Attachment, Bridge, BridgeInterface, Error, HostPort, Ipv4Net, Overlay, Uplink, mac_of,
    underlay,
};

/// Is one host; all its methods but the simplest block, and must be called on a thread that is on the host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) folders: Folders,
    pub(crate) namespace: NamespaceHandle,
    pub(crate) socket: Socket,
    pub(crate) table: Table,
    /// The indices of the bridges' links.
    pub(crate) bridges: PerBridge<u32>,
    pub(crate) bridge_mtu: u32,
    pub(crate) vxlan_port: u16,
    pub(crate) interface_names: AtomicU32,
    pub(crate) relay: Relay,
    /// Held while overlays are made or removed, so that two calls never build the same one.
    pub(crate) applying: Mutex<()>,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) namespaces: PathBuf,
    pub(crate) overlays: PathBuf,
    pub(crate) records: PathBuf,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pools: PerBridge<Pool>,
    /// Absent while this node is connected to no others.
    pub(crate) underlay: Option<Underlay>,
    pub(crate) overlays: BTreeMap<String, Arc<OverlayNamespace>>,
    pub(crate) containers: BTreeMap<String, Slot>,
}

#[derive(Debug)]
pub(crate) enum Slot {
    /// A call is building or removing it.
    Busy,
    Attached(Box<Holding>),
}

/// Is what is held for one container.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) record: Record,
    /// Dropped with the container; nothing else is done with them.
    pub(crate) _reservations: Vec<Reservation>,
    pub(crate) _relaying: Vec<Relaying>,
    pub(crate) overlays: Vec<Arc<OverlayNamespace>>,
    pub(crate) inside: Arc<Inside>,
}

impl Holding {
    fn published(&self) -> Vec<Published> {
        self.record.host_ports.iter().map(|(_, given)| given.published()).collect()
    }
}

impl Host {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn namespace(&self) -> &NamespaceHandle {
        &self.namespace
    }

    pub(crate) fn known_overlay(&self, id: &str) -> Option<Arc<OverlayNamespace>> {
        self.state().overlays.get(id).cloned()
    }

    pub(crate) fn attached(&self) -> BTreeMap<String, Attached> {
        let state = self.state();
        let attached = state.containers.iter().filter_map(|(id, slot)| match slot {
            Slot::Attached(holding) => Some((id.clone(), self.describe(&state.pools, id, &holding.record))),
            Slot::Busy => None,
        });
        attached.collect()
    }

    pub(crate) fn bridge_subnet(&self, bridge: Bridge) -> Ipv4Net {
        self.state().pools.of(bridge).subnet()
    }

    fn describe(&self, pools: &PerBridge<Pool>, id: &str, record: &Record) -> Attached {
        let Uplink { bridge, mac } = record.uplink;
        let pool = pools.of(bridge);
        let interface = record.bridge_address.map(|address| BridgeInterface {
            bridge,
            name: format!("eth{}", record.overlays.len()),
            address,
            prefix: pool.subnet().prefix(),
            gateway: pool.gateway(),
            mac: mac.unwrap_or(mac_of(address)),
        });
        Attached {
            namespace: self.folders.namespaces.join(id),
            bridge_address: record.bridge_address,
            interface,
            overlays: record.overlays.clone(),
            resolver: record.resolver.clone(),
            host_ports: record.host_ports.iter().map(|(_, given)| *given).collect(),
        }
    }

    pub(crate) fn attach(
        &self,
        id: &str,
        attachment: &Attachment,
        uplink: Uplink,
    ) -> Result<Attached, Error> {
        let path = namespace::path(&self.folders.namespaces, id)?;
        if let Some(former) = self.occupy(id)? {
            if former.record.answers(attachment, uplink) {
                let attached = self.describe(&self.state().pools, id, &former.record);
                self.settle(id, Some(former));
                return Ok(attached);
            }
            self.dismantle(id, *former)?;
        }
        match self.build(id, &path, attachment, uplink) {
            Ok(holding) => {
                let attached = self.describe(&self.state().pools, id, &holding.record);
                self.settle(id, Some(Box::new(holding)));
                // Whoever changes an overlay from here on finds the container.
                self.balance(id).inspect_err(|_| {
                    let _ = self.detach(id);
                })?;
                Ok(attached)
            }
            Err(error) => {
                self.settle(id, None);
                Err(error)
            }
        }
    }

    pub(crate) fn detach(&self, id: &str) -> Result<(), Error> {
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

    fn build(
        &self,
        id: &str,
        path: &Path,
        attachment: &Attachment,
        uplink: Uplink,
    ) -> Result<Holding, Error> {
        let mut reservations = Vec::new();
        let mut host_ports: Vec<(HostPort, HostPort)> = Vec::new();
        for asked in &attachment.host_ports {
            let (reservation, given) = Reservation::take(asked)?;
            reservations.push(reservation);
            host_ports.push((*asked, given));
        }
        let needs_bridge = attachment.egress || !attachment.host_ports.is_empty();
        let bridge = needs_bridge.then_some(uplink.bridge);
        let (bridge_address, overlays) = self.take_places(attachment, bridge)?;
        let places = attachment.overlays.clone();
        let record = Record { uplink, bridge_address, overlays: places, host_ports, resolver: None };
        let relaying = self.relay_to(bridge_address, &mut reservations);
        let inside = Arc::new(Inside::fresh(path.to_owned()));
        let holding = Holding { record, _reservations: reservations, _relaying: relaying, overlays, inside };
        match self.build_kernel_side(id, path, &holding) {
            Ok(()) => Ok(holding),
            Err(error) => {
                let _ = self.dismantle(id, holding);
                Err(error)
            }
        }
    }

    /// Answers over IPv6 at the ports that were reserved there too.
    pub(crate) fn relay_to(
        &self,
        address: Option<Ipv4Addr>,
        reservations: &mut [Reservation],
    ) -> Vec<Relaying> {
        let Some(address) = address else { return Vec::new() };
        let serve = |reservation: &mut Reservation| {
            let end = Endpoint::new(address, reservation.target);
            let relaying = self.relay.serve(&self.namespace, reservation.over_ipv6.take()?, end);
            // Without a thread for it, the port answers over IPv4 alone.
            relaying.inspect_err(|error| tracing::warn!(%error, "a port does not answer over IPv6")).ok()
        };
        reservations.iter_mut().filter_map(serve).collect()
    }

    /// Takes an address on a bridge and a place in each overlay.
    fn take_places(
        &self,
        attachment: &Attachment,
        bridge: Option<Bridge>,
    ) -> Result<(Option<Ipv4Addr>, Vec<Arc<OverlayNamespace>>), Error> {
        let mut state = self.state();
        let find = |id: &String| {
            let found = state.overlays.get(id).cloned();
            found.ok_or_else(|| Error::UnknownOverlay { network: id.clone() })
        };
        let overlays: Vec<_> =
            attachment.overlays.iter().map(|place| find(&place.network_id)).collect::<Result<_, _>>()?;
        let address = bridge.map(|bridge| state.pools.of_mut(bridge).take()).transpose()?;
        overlays.iter().for_each(|overlay| overlay.join());
        Ok((address, overlays))
    }

    fn build_kernel_side(&self, id: &str, path: &Path, holding: &Holding) -> Result<(), Error> {
        let record = &holding.record;
        let bridge = record.uplink.bridge;
        let (gateway, prefix) = {
            let state = self.state();
            let pool = state.pools.of(bridge);
            (pool.gateway(), pool.subnet().prefix())
        };
        let host = container::Host {
            socket: &self.socket,
            uplink: record.uplink,
            bridge: *self.bridges.of(bridge),
            mtu: self.bridge_mtu,
            gateway,
            prefix,
            // Asked here, as the thread leaves the host to build.
            isolate: bridge == Bridge::Closed && !bridge::is_filtered(),
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
                state.pools.of_mut(holding.record.uplink.bridge).free(address);
            }
            holding.overlays.iter().for_each(|overlay| overlay.leave());
        }
        let left_over = holding.overlays.iter().any(|overlay| overlay.is_left_over());
        drop(holding);
        let removed = if left_over { self.remove_left_over() } else { Ok(()) };
        withdrawn.and(released).and(forgotten).and(removed)
    }

    pub(crate) fn apply(&self, wanted: &[Overlay]) -> Result<(), Error> {
        check(wanted)?;
        let underlay = self.state().underlay;
        if underlay.is_none() && !wanted.is_empty() {
            return Err(Error::NotConnected);
        }
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
        for (overlay, underlay) in wanted.iter().zip(underlay.iter().cycle()) {
            let applied = self
                .overlay(&overlay.network_id)
                .and_then(|namespace| namespace.apply(overlay, underlay, &self.socket));
            result = result.and(applied);
        }
        result.and(self.balance_all())
    }

    /// Returns an overlay's namespace, made if it is missing.
    fn overlay(&self, id: &str) -> Result<Arc<OverlayNamespace>, Error> {
        if let Some(overlay) = self.state().overlays.get(id) {
            return Ok(overlay.clone());
        }
        let path = namespace::path(&self.folders.overlays, id)?;
        let create = || OverlayNamespace::create(id, path);
        let overlay = Arc::new(namespace::visit(&self.namespace, "make an overlay", create)?);
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

    pub(crate) fn connect(&self, underlay: Option<IpAddr>) -> Result<(), Error> {
        let found =
            underlay.map(|address| underlay::find(&self.socket, address, self.vxlan_port)).transpose()?;
        self.state().underlay = found;
        Ok(())
    }

    /// Removes the overlays and the containers that are there for them; those of the open bridge stay.
    pub(crate) fn disconnect(&self) -> Result<(), Error> {
        let ids: Vec<_> = {
            let state = self.state();
            let closed = state.containers.iter().filter(|(_, slot)| match slot {
                Slot::Attached(holding) => {
                    let Record { uplink, bridge_address, overlays, .. } = &holding.record;
                    uplink.bridge == Bridge::Closed && (bridge_address.is_some() || !overlays.is_empty())
                }
                Slot::Busy => false,
            });
            closed.map(|(id, _)| id.clone()).collect()
        };
        let detached = ids.iter().map(|id| self.detach(id)).fold(Ok(()), Result::and);
        self.state().overlays.values().for_each(|overlay| overlay.unwant());
        let removed = self.remove_left_over();
        self.state().underlay = None;
        detached.and(removed)
    }

    pub(crate) fn destroy(&self) -> Result<(), Error> {
        let ids: Vec<_> = self.state().containers.keys().cloned().collect();
        let mut result = ids.iter().map(|id| self.detach(id)).fold(Ok(()), Result::and);
        self.state().overlays.values().for_each(|overlay| overlay.unwant());
        result = result.and(self.remove_left_over());
        result = result.and(self.table.remove());
        let mut batch = Batch::default();
        for bridge in Bridge::ALL {
            batch.remove_link("remove a bridge", link::by_name(bridge.name()));
        }
        result = result.and(batch.send(&self.socket, "this host"));
        for folder in [&self.folders.namespaces, &self.folders.overlays, &self.folders.records] {
            if let Err(source) = fs::remove_dir_all(folder) {
                result = result.and(Err(Error::file("remove", folder)(source)));
            }
        }
        result
    }
}

/// Returns where each published port leads.
pub(crate) fn redirects(record: &Record) -> Vec<(Published, Endpoint)> {
    let Some(address) = record.bridge_address else { return Vec::new() };
    let ports = record.host_ports.iter();
    ports.map(|(_, given)| (given.published(), Endpoint::new(address, given.target))).collect()
}
