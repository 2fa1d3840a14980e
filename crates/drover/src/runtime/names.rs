//! Names that containers of this host find: each container asks inside its own namespace, and is answered here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use agent::{Member, NamedService};
use dns::{Client, Server, Upstream, Zone};
use network::{Attached, Network, Resolver, ResolverSockets};

use super::container_id;
use crate::causes;

/// The length of the ids that users see.
const SHORT_ID_LENGTH: usize = 12;

/// The names that containers of this host find. Networks of any kind may have a zone, by the network's id.
#[derive(Clone)]
pub struct Names {
    network: Network,
    server: Server,
    /// Of which names each overlay's zone was made.
    told: Arc<Mutex<BTreeMap<String, Told>>>,
}

#[derive(PartialEq)]
struct Told {
    network: String,
    services: Vec<NamedService>,
    members: Vec<Member>,
}

impl Names {
    /// Makes the handle over this host's network.
    pub fn new(network: Network) -> Self {
        Self { network, server: Server::new(dns::Config::default()), told: Arc::default() }
    }

    /// Goes on answering the containers that an earlier process answered.
    pub async fn take_up(&self) {
        for (id, attached) in self.network.attached() {
            if let Some(resolver) = &attached.resolver
                && let Err(error) = self.answer(&id, &attached, resolver).await
            {
                tracing::warn!(container = id, error, "a container's questions for names are not answered");
            }
        }
    }

    /// Answers a container's questions, and asks the servers its user wants for foreign names. A container without a
    /// way out has nobody asked.
    pub async fn answer(&self, id: &str, attached: &Attached, resolver: &Resolver) -> Result<(), String> {
        let sockets =
            self.network.open_resolver(id, resolver).await.map_err(|error| causes::written(&error))?;
        let ResolverSockets { udp, tcp } = sockets;
        let upstream = match attached.bridge_address {
            Some(_) => Upstream::of(&resolver.servers),
            None => Upstream::Nobody,
        };
        let networks = attached.overlays.iter().map(|place| place.network_id.clone()).collect();
        self.server
            .serve(id, Client { networks, upstream }, udp, tcp)
            .map_err(|error| causes::written(&error))
    }

    /// Answers a container no more.
    pub fn forget(&self, id: &str) {
        self.server.stop(id);
    }

    /// Puts the names of overlays into force, and forgets those of others that were told in this way.
    pub fn tell(&self, overlays: &[agent::Overlay]) {
        // Each zone is put in place as a whole.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: BTreeSet<String> = overlays.iter().map(|overlay| overlay.id.to_string()).collect();
        for id in told.extract_if(.., |id, _| !wanted.contains(id)).map(|(id, _)| id) {
            self.server.remove_zone(&id);
        }
        for overlay in overlays.iter().filter(|overlay| !overlay.is_ingress) {
            let id = overlay.id.to_string();
            let agent::Overlay { name, services, members, .. } = overlay;
            let now = Told { network: name.clone(), services: services.clone(), members: members.clone() };
            if told.get(&id) != Some(&now) {
                self.server.put_zone(&id, zone(&now));
                told.insert(id, now);
            }
        }
    }
}

/// Returns the servers that can be asked, of those a user wrote.
pub fn resolver(servers: &[String]) -> Resolver {
    Resolver { servers: servers.iter().filter_map(|server| server.parse::<IpAddr>().ok()).collect() }
}

fn zone(told: &Told) -> Zone {
    let Told { network, services, members } = told;
    let mut tasks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for member in members {
        tasks.entry(member.service).or_default().push(member.address);
    }
    let services: Vec<dns::Service> = services
        .iter()
        .map(|service| dns::Service {
            names: [std::slice::from_ref(&service.name), &service.aliases].concat(),
            virtual_ip: service.virtual_ip,
            tasks: tasks.get(&service.id).cloned().unwrap_or_default(),
        })
        .collect();
    let members: Vec<dns::Member> = members
        .iter()
        .map(|member| dns::Member {
            names: vec![member.name.clone(), short_id(member.task), member.hostname.clone()],
            address: member.address,
        })
        .collect();
    Zone::new(network, &services, &members)
}

/// Returns the id of a task's container as users see it.
pub fn short_id(task: model::TaskId) -> String {
    container_id(task).chars().take(SHORT_ID_LENGTH).collect()
}

#[cfg(test)]
mod tests;
