//! Which networks a service and its tasks are on.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{EndpointSpec, Network, NetworkId, Predefined, TaskSpec};
use store::View;

use crate::network::Lacking;

/// Returns the overlay networks on which a task of this spec has an address: the ingress network if it publishes ports
/// there, and those it names. Networks of other drivers give out addresses on their own, those of every node too.
pub(crate) fn networks(
    view: &View,
    task: &TaskSpec,
    endpoint: &EndpointSpec,
) -> Result<Vec<Arc<Network>>, String> {
    let mut networks: Vec<Arc<Network>> = Vec::new();
    if endpoint.ingress_ports().next().is_some() {
        let ingress = view.ingress_network();
        networks
            .push(Arc::clone(ingress.ok_or("published ports need the ingress network, and there is none")?));
    }
    for attachment in task.networks.iter().filter(|wish| Predefined::find(&wish.target).is_none()) {
        let network = by_id_or_name(view, &attachment.target)
            .ok_or_else(|| format!("network {} not found", attachment.target))?;
        if network.spec.is_overlay() && networks.iter().all(|known| known.id != network.id) {
            networks.push(Arc::clone(network));
        }
    }
    Ok(networks)
}

/// Returns the networks on which tasks of this spec may hold addresses, as far as they are still there.
pub(crate) fn possible(view: &View, task: &TaskSpec, endpoint: &EndpointSpec) -> BTreeSet<NetworkId> {
    let ingress = view.ingress_network().filter(|_| endpoint.ingress_ports().next().is_some());
    let named = task.networks.iter().filter_map(|attachment| by_id_or_name(view, &attachment.target));
    ingress.into_iter().chain(named).map(|network| network.id).collect()
}

/// Refuses networks that have no subnet to take addresses from.
pub(crate) fn check_ready(networks: &[Arc<Network>], lacking: &Lacking) -> Result<(), String> {
    match networks.iter().find_map(|network| lacking.get(&network.id)) {
        Some(reason) => Err(reason.clone()),
        None => Ok(()),
    }
}

fn by_id_or_name<'a>(view: &'a View, target: &str) -> Option<&'a Arc<Network>> {
    let by_id = target.parse().ok().and_then(|id: NetworkId| view.network(id));
    by_id.or_else(|| view.network_by_name(target))
}
