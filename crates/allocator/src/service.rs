//! Gives each service its published ports and virtual addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Endpoint, EndpointMode, Network, Service, ServiceId, VirtualIp};
use store::{Draft, View};

use crate::address::Books;
use crate::attachment;
use crate::network::Lacking;
use crate::port::Ports;

/// Why services have no endpoint for what they ask.
pub(crate) type Waiting = BTreeMap<ServiceId, String>;

/// Allocates endpoints that do not fit their spec, until no more can be done: one service may wait for what another
/// gives up. A service that cannot have all it asks for keeps what it has.
pub(crate) fn plan(draft: &mut Draft, books: &mut Books, lacking: &Lacking) -> Waiting {
    let mut left: Vec<Arc<Service>> =
        draft.view().services().filter(|service| !is_current(draft.view(), service)).cloned().collect();
    let mut waiting = Waiting::new();
    if left.is_empty() {
        return waiting;
    }
    let mut ports = Ports::of(draft.view());
    loop {
        let before = left.len();
        left.retain(|service| match allocate(draft.view(), service, &ports, books, lacking) {
            Ok(endpoint) => {
                accept(draft, service, endpoint, &mut ports, books);
                waiting.remove(&service.id);
                false
            }
            Err(reason) => {
                waiting.insert(service.id, reason);
                true
            }
        });
        if left.len() == before || left.is_empty() {
            return waiting;
        }
    }
}

/// Finds the reasons of those that wait anew. What they lack has only become scarcer since, so all of them still wait.
pub(crate) fn look_again(view: &View, books: &mut Books, lacking: &Lacking, waiting: &mut Waiting) {
    if waiting.is_empty() {
        return;
    }
    let ports = Ports::of(view);
    for (service, reason) in waiting {
        let Some(service) = view.service(*service) else { continue };
        if let Err(present) = allocate(view, service, &ports, books, lacking) {
            *reason = present;
        }
    }
}

/// Claims that the service's endpoint is what its spec asks for.
fn is_current(view: &View, service: &Service) -> bool {
    if service.endpoint.spec.as_ref() != Some(&service.spec.endpoint) {
        return false;
    }
    let held = service.endpoint.virtual_ips.iter().map(|vip| vip.network);
    vip_networks(view, service).is_ok_and(|networks| networks.iter().map(|network| network.id).eq(held))
}

/// Returns the networks on which the service has a virtual address.
fn vip_networks(view: &View, service: &Service) -> Result<Vec<Arc<Network>>, String> {
    match service.spec.endpoint.mode {
        EndpointMode::Vip => attachment::networks(view, &service.spec.task, &service.spec.endpoint),
        EndpointMode::Dnsrr => Ok(Vec::new()),
    }
}

fn allocate(
    view: &View,
    service: &Service,
    ports: &Ports,
    books: &mut Books,
    lacking: &Lacking,
) -> Result<Endpoint, String> {
    let networks = vip_networks(view, service)?;
    attachment::check_ready(&networks, lacking)?;
    let ports = ports.choose(service)?;
    let virtual_ips = take_all(view, service, &networks, books)?;
    Ok(Endpoint { spec: Some(service.spec.endpoint.clone()), ports, virtual_ips })
}

/// Takes an address on each network where the service has none; all or none.
fn take_all(
    view: &View,
    service: &Service,
    networks: &[Arc<Network>],
    books: &mut Books,
) -> Result<Vec<VirtualIp>, String> {
    let mut all = Vec::with_capacity(networks.len());
    let mut taken: Vec<VirtualIp> = Vec::new();
    for network in networks {
        if let Some(held) = service.endpoint.virtual_ips.iter().find(|vip| vip.network == network.id) {
            all.push(held.clone());
            continue;
        }
        match books.take(view, network) {
            Ok(address) => {
                let vip = VirtualIp { network: network.id, address };
                taken.push(vip.clone());
                all.push(vip);
            }
            Err(reason) => {
                taken.iter().for_each(|vip| books.give_back(vip.network, vip.address));
                return Err(reason);
            }
        }
    }
    Ok(all)
}

fn accept(draft: &mut Draft, service: &Service, endpoint: Endpoint, ports: &mut Ports, books: &mut Books) {
    ports.replace(service, &endpoint.ports);
    let kept = |old: &VirtualIp| endpoint.virtual_ips.iter().any(|vip| vip == old);
    for new in endpoint.virtual_ips.iter().filter(|vip| !service.endpoint.virtual_ips.contains(vip)) {
        books.keep(new.network, new.address);
    }
    for old in service.endpoint.virtual_ips.iter().filter(|old| !kept(old)) {
        books.give_back(old.network, old.address);
    }
    draft.put(Service { endpoint, ..service.clone() });
}
