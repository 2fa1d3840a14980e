//! Gives each overlay network a subnet and a VXLAN network identifier.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use model::{Network, NetworkId, Subnet};
use store::{Draft, View};

/// The first identifier given out, as in Swarm; those below are for people to choose.
const VNI_MIN: u32 = 4096;
/// The last identifier: it has 24 bits.
const VNI_MAX: u32 = (1 << 24) - 1;
/// The option with which a user chooses the identifier.
const VNI_OPTION: &str = "com.docker.network.driver.overlay.vxlanid_list";

/// Why networks have no subnet or identifier.
pub(crate) type Lacking = BTreeMap<NetworkId, String>;

/// Gives every overlay network what it lacks, the ingress network first, then older networks first.
pub(crate) fn plan(draft: &mut Draft) -> Lacking {
    let mut lacking = Lacking::new();
    let mut waiting: Vec<Arc<Network>> =
        draft.view().networks().filter(|it| is_waiting(it)).cloned().collect();
    waiting.sort_by_key(|network| (!network.spec.ingress, network.meta.created_at, network.id));
    for network in waiting {
        match allocate(draft.view(), &network) {
            Ok(network) => draft.put(network),
            Err(reason) => {
                lacking.insert(network.id, format!("network {} {reason}", network.spec.name));
            }
        }
    }
    lacking
}

/// Claims that tasks on the network get addresses of the cluster.
pub(crate) fn is_overlay(network: &Network) -> bool {
    matches!(network.spec.driver.as_str(), "" | "overlay")
}

fn is_waiting(network: &Network) -> bool {
    is_overlay(network) && (network.subnet.is_none() || network.vni.is_none())
}

fn allocate(view: &View, network: &Network) -> Result<Network, String> {
    let subnet = network.subnet.map_or_else(|| free_subnet(view, network), Ok)?;
    let vni = network.vni.map_or_else(|| free_vni(view, network), Ok)?;
    Ok(Network { subnet: Some(subnet), vni: Some(vni), ..network.clone() })
}

fn free_subnet(view: &View, network: &Network) -> Result<Subnet, String> {
    let taken = || view.networks().filter_map(|other| Some((other.subnet?, other)));
    if let Some(asked) = network.spec.ipam.pools.iter().find_map(|pool| pool.subnet) {
        return match taken().find(|(subnet, _)| subnet.overlaps(asked)) {
            Some((subnet, other)) => {
                Err(format!("cannot have subnet {asked}: network {} has {subnet}", other.spec.name))
            }
            None => Ok(asked),
        };
    }
    let cluster = view.cluster().ok_or("has no subnet: there is no cluster to take one from")?;
    let mut taken: Vec<Subnet> = taken().map(|(subnet, _)| subnet).collect();
    taken.sort();
    let mut pools = cluster.address_pools.iter();
    pools.find_map(|pool| first_free(*pool, cluster.subnet_prefix, &taken)).ok_or_else(|| {
        let pools: Vec<String> = cluster.address_pools.iter().map(Subnet::to_string).collect();
        let prefix = cluster.subnet_prefix;
        format!("has no subnet: every /{prefix} of the address pool {} is taken", pools.join(", "))
    })
}

/// Returns the first subnet of this prefix in a pool that meets none of the taken ones, which are ordered.
fn first_free(pool: Subnet, prefix: u8, taken: &[Subnet]) -> Option<Subnet> {
    let size = Subnet { base: pool.base, prefix }.size();
    let first = |subnet: Subnet| u64::from(subnet.base.to_bits());
    let end = first(pool) + pool.size();
    let mut start = first(pool);
    for held in taken {
        let held_end = first(*held) + held.size();
        if first(*held) >= start + size {
            break;
        }
        if held_end > start {
            start = held_end.next_multiple_of(size);
        }
    }
    let base = Ipv4Addr::from_bits(u32::try_from(start).ok()?);
    (start + size <= end).then_some(Subnet { base, prefix })
}

fn free_vni(view: &View, network: &Network) -> Result<u32, String> {
    let taken: BTreeSet<u32> = view.networks().filter_map(|other| other.vni).collect();
    if let Some(list) = network.spec.driver_opts.get(VNI_OPTION) {
        let chosen = list.split(',').next().and_then(|text| text.trim().parse().ok());
        return match chosen {
            Some(vni) if vni > VNI_MAX => Err(format!("cannot have VXLAN id {vni}: it is above {VNI_MAX}")),
            Some(vni) if taken.contains(&vni) => {
                Err(format!("cannot have VXLAN id {vni}: another network has it"))
            }
            Some(vni) => Ok(vni),
            None => Err(format!("cannot have VXLAN id {list:?}: it is not a number")),
        };
    }
    let free = (VNI_MIN..=VNI_MAX).find(|vni| !taken.contains(vni));
    free.ok_or_else(|| format!("has no VXLAN id: all from {VNI_MIN} to {VNI_MAX} are taken"))
}
