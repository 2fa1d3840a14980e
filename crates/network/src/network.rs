//! Everything of one host's networks behind one handle.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::host::Host;
use crate::namespace::{NamespaceHandle, on_thread};
use crate::{Attached, Attachment, Bridge, Error, Ipv4Net, Overlay, Resolver, ResolverSockets, Uplink};

/// Says where a host keeps its namespaces and which addresses it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folder for the namespaces and what is remembered of them; emptied by a reboot or by [`Network::destroy`].
    pub run: PathBuf,
    /// This node's address towards the others, if there are any; the link that has it carries the overlays.
    pub underlay: Option<IpAddr>,
    /// Range of the closed bridge; another private one is taken if it overlaps with a route of the host.
    pub bridge_subnet: Ipv4Net,
    /// Range of the open bridge, likewise.
    pub open_bridge_subnet: Ipv4Net,
    /// UDP port of the overlays' packets, the same on every node.
    pub vxlan_port: u16,
}

impl Config {
    /// Returns the defaults for a run folder and a node address, if the node has one.
    pub fn new(run: impl Into<PathBuf>, underlay: Option<IpAddr>) -> Config {
        let subnet =
            |second| Ipv4Net::new(Ipv4Addr::new(172, second, 0, 0), 16).expect("16 bits are at most 32");
        Config {
            run: run.into(),
            underlay,
            bridge_subnet: subnet(31),
            open_bridge_subnet: subnet(17),
            vxlan_port: 4789,
        }
    }
}

/// Owns the networks of one host; clones share them.
#[derive(Debug, Clone)]
pub struct Network {
    host: Arc<Host>,
}

impl Network {
    /// Takes over what an earlier run left on the calling thread's host, and makes what is missing.
    pub fn open(config: Config) -> Result<Network, Error> {
        Ok(Network { host: Arc::new(Host::open(config)?) })
    }

    /// Builds a container's namespace with its interfaces and published ports, on the closed bridge if on any.
    ///
    /// Asked again for what the container has, it changes nothing; asked for something else, it builds it anew. The
    /// overlays must have been applied before.
    pub async fn attach(&self, container_id: &str, attachment: &Attachment) -> Result<Attached, Error> {
        self.attach_on(Uplink::default(), container_id, attachment).await
    }

    /// Does the same on the bridge that is given.
    pub async fn attach_on(
        &self,
        uplink: Uplink,
        container_id: &str,
        attachment: &Attachment,
    ) -> Result<Attached, Error> {
        let (host, id, attachment) = (self.host.clone(), container_id.to_owned(), attachment.clone());
        let work = move || host.attach(&id, &attachment, uplink);
        on_thread(self.host.namespace(), "attach a container", work).await
    }

    /// Removes a container's namespace and published ports; nothing happens if it has none.
    pub async fn detach(&self, container_id: &str) -> Result<(), Error> {
        let (host, id) = (self.host.clone(), container_id.to_owned());
        on_thread(self.host.namespace(), "detach a container", move || host.detach(&id)).await
    }

    /// Opens sockets inside a container's namespace to which its questions for names at [`RESOLVER`] lead, in place of
    /// any former ones.
    ///
    /// That it has a resolver is remembered, and told by [`Network::attached`]; the sockets end with the process.
    ///
    /// [`RESOLVER`]: crate::RESOLVER
    pub async fn open_resolver(
        &self,
        container_id: &str,
        resolver: &Resolver,
    ) -> Result<ResolverSockets, Error> {
        let (host, id, resolver) = (self.host.clone(), container_id.to_owned(), resolver.clone());
        let work = move || host.open_resolver(&id, &resolver);
        on_thread(self.host.namespace(), "open a container's resolver", work).await
    }

    /// Makes the host's overlays be those wanted; one that still has containers outlives its absence here.
    ///
    /// Every overlay is tried; the first failure is returned.
    pub async fn apply(&self, wanted: &[Overlay]) -> Result<(), Error> {
        let (host, wanted) = (self.host.clone(), wanted.to_vec());
        on_thread(self.host.namespace(), "apply overlays", move || host.apply(&wanted)).await
    }

    /// Gives this node its address towards others, which overlays need, or takes it away.
    ///
    /// Overlays that are there follow when they are applied again.
    pub async fn set_underlay(&self, underlay: Option<IpAddr>) -> Result<(), Error> {
        let host = self.host.clone();
        on_thread(self.host.namespace(), "set the node's address", move || host.connect(underlay)).await
    }

    /// Opens an overlay's namespace, for threads that shall work inside it.
    pub fn enter_overlay(&self, network_id: &str) -> Result<NamespaceHandle, Error> {
        let overlay = self.host.known_overlay(network_id);
        overlay.ok_or_else(|| Error::UnknownOverlay { network: network_id.to_owned() })?.namespace()
    }

    /// Lists the containers that have a namespace, with what they were given.
    pub fn attached(&self) -> BTreeMap<String, Attached> {
        self.host.attached()
    }

    /// Returns the range of the closed bridge.
    pub fn bridge_subnet(&self) -> Ipv4Net {
        self.subnet_of(Bridge::Closed)
    }

    /// Returns the range of one of the host's own bridges.
    pub fn subnet_of(&self, bridge: Bridge) -> Ipv4Net {
        self.host.bridge_subnet(bridge)
    }

    /// Removes what this node has as a member of a cluster: its overlays, the containers on the closed bridge, and
    /// the node's address. Containers on the open bridge keep what they have there.
    pub async fn leave(&self) -> Result<(), Error> {
        let host = self.host.clone();
        on_thread(self.host.namespace(), "remove the overlays", move || host.disconnect()).await
    }

    /// Removes everything this host's networks are made of; the handle is of no use afterwards.
    ///
    /// Forwarding stays on, as others may rely on it by then.
    pub async fn destroy(&self) -> Result<(), Error> {
        let host = self.host.clone();
        on_thread(self.host.namespace(), "remove the networks", move || host.destroy()).await
    }
}
