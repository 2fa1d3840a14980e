//! This node's networks and published ports, as managers want them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent::NetworkState;
use ingress::{AppProtocol, Backend, Ingress, Table, Tcp};
use model::{Protocol, ServiceId};
use network::{Attached, Attachment, Ipv4Net, Network, Overlay, Peer, Resolver, VirtualIp, mac_of};
use tokio::sync::{Mutex, watch};

use super::Names;
use crate::causes;

/// Where nodes have their own addresses inside the network that carries published ports, so that
/// none of its subnet is used up for them. RFC 2544 keeps this range out of the public internet.
const NODE_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);

/// This node's networks and published ports.
#[derive(Clone)]
pub struct Networks {
    network: Network,
    names: Names,
    ingress: Arc<Mutex<Option<Ingress>>>,
    in_force: watch::Sender<BTreeSet<String>>,
    threads: usize,
}

impl Networks {
    /// Makes the handle over this host's network and names; `threads` carry the traffic of published ports.
    pub fn new(network: Network, names: Names, threads: usize) -> Self {
        Self { network, names, ingress: Arc::default(), in_force: watch::channel(BTreeSet::new()).0, threads }
    }

    /// Waits until a network can be used on this node.
    pub async fn in_force(&self, network_id: &str, deadline: Duration) -> Result<(), String> {
        let mut in_force = self.in_force.subscribe();
        let found =
            tokio::time::timeout(deadline, in_force.wait_for(|networks| networks.contains(network_id))).await;
        match found {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(format!(
                "network {network_id} is not in force on this node after {} s: see the daemon's log for why",
                deadline.as_secs()
            )),
        }
    }

    /// Gives a container its network namespace; with a resolver, its questions for names are answered.
    pub async fn attach(
        &self,
        id: &str,
        attachment: &Attachment,
        resolver: Option<Resolver>,
    ) -> Result<Attached, String> {
        let attached = self.network.attach(id, attachment).await.map_err(|error| causes::written(&error))?;
        let Some(resolver) = resolver else { return Ok(attached) };
        if let Err(error) = self.names.answer(id, &attached, &resolver).await {
            self.detach(id).await;
            return Err(error);
        }
        Ok(Attached { resolver: Some(resolver), ..attached })
    }

    /// Takes a container's network namespace away.
    pub async fn detach(&self, id: &str) {
        self.names.forget(id);
        if let Err(error) = self.network.detach(id).await {
            tracing::warn!(
                container = id,
                error = causes::written(&error),
                "a container's network is not taken away"
            );
        }
    }

    /// Returns what a container was given.
    pub fn attached(&self, id: &str) -> Option<Attached> {
        self.network.attached().remove(id)
    }

    /// Puts networks and published ports into force.
    pub async fn apply(&self, state: NetworkState) -> Result<(), String> {
        let overlays: Vec<Overlay> = state.overlays.iter().map(overlay).collect::<Result<_, _>>()?;
        // Before their addresses are in force: a name is asked for before its address is used.
        self.names.tell(&state.overlays);
        self.network.apply(&overlays).await.map_err(|error| causes::written(&error))?;
        self.in_force.send_replace(overlays.iter().map(|overlay| overlay.network_id.clone()).collect());
        let carries_ports = state.overlays.iter().find(|overlay| overlay.ingress_number.is_some());
        let mut ingress = self.ingress.lock().await;
        if ingress.is_none()
            && let Some(overlay) = carries_ports
        {
            *ingress = Some(self.start_ingress(&overlay.id.to_string())?);
        }
        let Some(ingress) = &*ingress else { return Ok(()) };
        for problem in ingress.apply(table(&state)) {
            tracing::warn!(port = problem.port, error = %problem.error, "a port cannot be published on this node");
        }
        Ok(())
    }

    /// Takes all networks and published ports of the cluster away.
    pub async fn leave(&self) {
        if let Some(ingress) = self.ingress.lock().await.take() {
            ingress.shutdown(Duration::ZERO).await;
        }
        self.in_force.send_replace(BTreeSet::new());
        self.names.tell(&[]);
        if let Err(error) = self.network.leave().await {
            tracing::warn!(error = causes::written(&error), "networks are not taken away whole");
        }
    }

    /// Starts the proxy of published ports; its threads live inside the network that carries them.
    fn start_ingress(&self, network_id: &str) -> Result<Ingress, String> {
        let namespace = self.network.enter_overlay(network_id).map_err(|error| causes::written(&error))?;
        let config = ingress::Config {
            threads: self.threads,
            on_thread_start: Arc::new(move || namespace.enter()),
            ..ingress::Config::default()
        };
        Ingress::start(config).map_err(|error| causes::written(&error))
    }
}

fn overlay(wanted: &agent::Overlay) -> Result<Overlay, String> {
    let net = |address, prefix| {
        Ipv4Net::new(address, prefix).ok_or_else(|| format!("{address}/{prefix} is no network"))
    };
    let mut peers: Vec<Peer> = wanted
        .peers
        .iter()
        .map(|peer| Peer { address: peer.address, mac: mac_of(peer.address), node: peer.node })
        .collect();
    peers.extend(wanted.ingress_peers.iter().map(|(number, node)| {
        let address = node_address(*number);
        Peer { address, mac: mac_of(address), node: *node }
    }));
    Ok(Overlay {
        network_id: wanted.id.to_string(),
        vni: wanted.vni,
        subnet: net(wanted.subnet.base, wanted.subnet.prefix)?,
        mtu: wanted.mtu,
        node_addresses: wanted
            .ingress_number
            .map(|number| net(node_address(number), 32))
            .transpose()?
            .into_iter()
            .collect(),
        routes: wanted.is_ingress.then(|| net(NODE_RANGE.0, NODE_RANGE.1)).transpose()?.into_iter().collect(),
        peers,
        virtual_ips: virtual_ips(wanted),
        // Services of different networks would reach each other where all their published ports lead.
        is_parted: wanted.is_ingress,
    })
}

/// Returns the addresses that services' names lead to, and those of their tasks.
fn virtual_ips(overlay: &agent::Overlay) -> Vec<VirtualIp> {
    let mut tasks: BTreeMap<ServiceId, Vec<Ipv4Addr>> = BTreeMap::new();
    for member in &overlay.members {
        tasks.entry(member.service).or_default().push(member.address);
    }
    let services = overlay.services.iter().filter_map(|service| Some((service.id, service.virtual_ip?)));
    services
        .map(|(id, address)| VirtualIp { address, backends: tasks.get(&id).cloned().unwrap_or_default() })
        .collect()
}

/// Returns the address that a node's proxy has inside the network that carries published ports.
fn node_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NODE_RANGE.0.to_bits() + number)
}

fn table(state: &NetworkState) -> Table {
    let mut table = Table::default();
    for port in &state.ports {
        let backends = port.backends.iter().map(|backend| Backend {
            address: SocketAddr::new(IpAddr::V4(backend.address), backend.port),
            task: backend.task.to_string(),
        });
        let backends = backends.collect();
        let published = table.ports.entry(port.published).or_default();
        match port.protocol {
            Protocol::Tcp => published.tcp = Some(Tcp { carries: AppProtocol::Bytes, backends }),
            Protocol::Udp => published.udp = Some(backends),
            // Refused when a service asks for it.
            Protocol::Sctp => {}
        }
    }
    table
}
