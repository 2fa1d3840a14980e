//! Opening a host: makes what is missing and takes over what an earlier run left.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use crate::bridge::PerBridge;
use crate::host::{Folders, Holding, Host, Slot, State, redirects};
use crate::host_port::Reservation;
use crate::inside::Inside;
use crate::namespace::{self, NamespaceHandle};
use crate::netlink::link::links;
use crate::netlink::{Protocol, Socket};
use crate::nft::Table;
use crate::overlay::OverlayNamespace;
use crate::record::Record;
use crate::relay::Relay;
use crate::{Bridge, Config, Error, bridge, underlay};

/// Returns a number that an earlier run of this host hardly started from too.
fn any_number() -> u32 {
    std::collections::hash_map::RandomState::new().build_hasher().finish() as u32
}

impl Host {
    /// Opens the host the calling thread is on.
    pub(crate) fn open(config: Config) -> Result<Host, Error> {
        let Config { run, underlay, bridge_subnet, open_bridge_subnet, vxlan_port } = config;
        let folders = Folders::make(&run)?;
        let open = |protocol| {
            Socket::open(protocol).map_err(Error::kernel("open a netlink socket (root is needed)"))
        };
        let socket = open(Protocol::Route)?;
        let table = Table::new(open(Protocol::Netfilter)?);
        // Before anything is made: a wrong address leaves nothing behind.
        let underlay = underlay.map(|address| underlay::find(&socket, address, vxlan_port)).transpose()?;
        let mtu = bridge::outside_mtu(&socket, &links(&socket)?)?;
        let made = PerBridge::make(|bridge| {
            let wanted = match bridge {
                Bridge::Closed => bridge_subnet,
                Bridge::Open => open_bridge_subnet,
            };
            bridge::ensure(&socket, bridge, wanted, mtu)
        })?;
        let (bridges, pools) = made.unzip();
        let host = Host {
            folders,
            namespace: NamespaceHandle::of_this_thread()?,
            socket,
            table,
            bridges,
            bridge_mtu: mtu,
            vxlan_port,
            interface_names: AtomicU32::new(any_number()),
            relay: Relay::default(),
            applying: Mutex::default(),
            state: Mutex::new(State {
                pools,
                underlay,
                overlays: BTreeMap::new(),
                containers: BTreeMap::new(),
            }),
        };
        host.adopt()?;
        Ok(host)
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
        let (subnets, ports) = {
            let state = self.state();
            let records = state.containers.values().filter_map(|slot| match slot {
                Slot::Attached(holding) => Some(redirects(&holding.record)),
                Slot::Busy => None,
            });
            let subnets = Bridge::ALL.map(|bridge| (bridge, state.pools.of(bridge).subnet()));
            (subnets, records.flatten().collect::<Vec<_>>())
        };
        self.table.replace(&subnets, &ports)
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
        let relaying = self.relay_to(record.bridge_address, &mut reservations);
        let mut state = self.state();
        if let Some(address) = record.bridge_address {
            state.pools.of_mut(record.uplink.bridge).adopt(address);
        }
        let ids = record.overlays.iter().map(|place| &place.network_id);
        let overlays: Vec<_> = ids.filter_map(|id| state.overlays.get(id).cloned()).collect();
        overlays.iter().for_each(|overlay| overlay.join());
        let inside = Arc::new(Inside::found(path));
        let holding = Holding { record, _reservations: reservations, _relaying: relaying, overlays, inside };
        state.containers.insert(id.to_owned(), Slot::Attached(Box::new(holding)));
        Ok(())
    }
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
