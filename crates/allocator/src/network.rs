//! Gives each overlay network a subnet and a VXLAN network identifier.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use model::{Cluster, Network, NetworkId, NetworkSpec, Subnet};
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
        if let Err(reason) = allocate(draft, &network) {
            lacking.insert(network.id, format!("network {} {reason}", network.spec.name));
        }
    }
    lacking
}

/// Why a network has no subnet or no identifier. The words go behind its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shortage {
    /// Another network has addresses of the subnet that it asks for.
    SubnetTaken(String),
    /// No subnet can be cut from the pools any more.
    PoolsUsedUp(String),
    /// Another network has the identifier that it asks for, or there is none.
    Identifier(String),
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubnetTaken(why) | Self::PoolsUsedUp(why) | Self::Identifier(why) => f.write_str(why),
        }
    }
}

/// Says why a network that is about to be made would wait for a subnet or an identifier, if it would. What older
/// networks ask for and do not have yet is theirs.
pub fn check_network(view: &View, spec: &NetworkSpec) -> Result<(), Shortage> {
    let claimed = |other: &Network| other.subnet.or_else(|| asked_subnet(&other.spec));
    subnet_for(view, spec, &claimed).and_then(|_| vni_for(view, spec)).map(|_| ())
}

fn is_waiting(network: &Network) -> bool {
    network.spec.is_overlay() && (network.subnet.is_none() || network.vni.is_none())
}

fn allocate(draft: &mut Draft, network: &Network) -> Result<(), Shortage> {
    let cluster = draft.view().cluster().cloned();
    let mut last =
        cluster.as_ref().map(|cluster| (cluster.last_subnet, cluster.last_vni)).unwrap_or_default();
    let subnet = match network.subnet {
        Some(subnet) => subnet,
        None => {
            let found = subnet_for(draft.view(), &network.spec, &|other| other.subnet)?;
            if found.is_cut {
                last.0 = Some(found.subnet);
            }
            found.subnet
        }
    };
    let vni = match network.vni {
        Some(vni) => vni,
        None => {
            let found = vni_for(draft.view(), &network.spec)?;
            if !found.is_asked {
                last.1 = Some(found.vni);
            }
            found.vni
        }
    };
    draft.put(Network { subnet: Some(subnet), vni: Some(vni), ..network.clone() });
    if let Some(cluster) = cluster {
        draft.put(Cluster { last_subnet: last.0, last_vni: last.1, ..(*cluster).clone() });
    }
    Ok(())
}

/// A free subnet, and whether it was cut from the cluster's pools.
struct FreeSubnet {
    subnet: Subnet,
    is_cut: bool,
}

fn asked_subnet(spec: &NetworkSpec) -> Option<Subnet> {
    spec.ipam.pools.iter().find_map(|pool| pool.subnet)
}

/// Finds a subnet that meets none of those that networks have; `has` tells what a network has.
fn subnet_for(
    view: &View,
    spec: &NetworkSpec,
    has: &dyn Fn(&Network) -> Option<Subnet>,
) -> Result<FreeSubnet, Shortage> {
    let taken = || view.networks().filter_map(|other| Some((has(other)?, other)));
    if let Some(asked) = asked_subnet(spec) {
        return match taken().find(|(subnet, _)| subnet.overlaps(asked)) {
            Some((subnet, other)) => Err(Shortage::SubnetTaken(format!(
                "cannot have subnet {asked}: network {} has {subnet}",
                other.spec.name
            ))),
            None => Ok(FreeSubnet { subnet: asked, is_cut: false }),
        };
    }
    let cluster = view.cluster().ok_or_else(|| {
        Shortage::PoolsUsedUp("has no subnet: there is no cluster to take one from".to_owned())
    })?;
    let mut taken: Vec<Subnet> = taken().map(|(subnet, _)| subnet).collect();
    taken.sort();
    let subnet = cut(cluster, &taken).ok_or_else(|| {
        let pools: Vec<String> = cluster.address_pools.iter().map(Subnet::to_string).collect();
        let prefix = cluster.subnet_prefix;
        let pools = pools.join(", ");
        Shortage::PoolsUsedUp(format!("has no subnet: every /{prefix} of the address pool {pools} is taken"))
    })?;
    Ok(FreeSubnet { subnet, is_cut: true })
}

/// Cuts a subnet from the pools: behind the one that was cut last, or else the first that is free.
fn cut(cluster: &Cluster, taken: &[Subnet]) -> Option<Subnet> {
    let (pools, prefix) = (&cluster.address_pools, cluster.subnet_prefix);
    let behind = || {
        let last = cluster.last_subnet?;
        let at = pools.iter().position(|pool| pool.contains(last.base))?;
        let rest = first_free(pools[at], prefix, taken, first(last) + last.size());
        rest.or_else(|| first_of(&pools[at + 1..], prefix, taken))
    };
    behind().or_else(|| first_of(pools, prefix, taken))
}

fn first_of(pools: &[Subnet], prefix: u8, taken: &[Subnet]) -> Option<Subnet> {
    pools.iter().find_map(|pool| first_free(*pool, prefix, taken, 0))
}

/// Returns the first subnet of this prefix in a pool, not before `from`, that meets none of the taken ones, which are
/// ordered.
fn first_free(pool: Subnet, prefix: u8, taken: &[Subnet], from: u64) -> Option<Subnet> {
    let size = Subnet { base: pool.base, prefix }.size();
    let end = first(pool) + pool.size();
    let mut start = first(pool).max(from).next_multiple_of(size);
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

fn first(subnet: Subnet) -> u64 {
    subnet.base.to_bits().into()
}

/// A free identifier, and whether it is the user's choice.
struct FreeVni {
    vni: u32,
    is_asked: bool,
}

fn vni_for(view: &View, spec: &NetworkSpec) -> Result<FreeVni, Shortage> {
    let refuse = |why: String| Err(Shortage::Identifier(why));
    let taken: BTreeSet<u32> = view.networks().filter_map(|other| other.vni).collect();
    if let Some(list) = spec.driver_opts.get(VNI_OPTION) {
        let chosen = list.split(',').next().and_then(|text| text.trim().parse().ok());
        return match chosen {
            Some(0) => refuse("cannot have VXLAN id 0: it is no network's".to_owned()),
            Some(vni) if vni > VNI_MAX => {
                refuse(format!("cannot have VXLAN id {vni}: it is above {VNI_MAX}"))
            }
            Some(vni) if taken.contains(&vni) => {
                refuse(format!("cannot have VXLAN id {vni}: another network has it"))
            }
            Some(vni) => Ok(FreeVni { vni, is_asked: true }),
            None => refuse(format!("cannot have VXLAN id {list:?}: it is not a number")),
        };
    }
    let last = view.cluster().and_then(|cluster| cluster.last_vni).unwrap_or(VNI_MIN - 1);
    let free = (last + 1..=VNI_MAX).chain(VNI_MIN..=last).find(|vni| !taken.contains(vni));
    match free {
        Some(vni) => Ok(FreeVni { vni, is_asked: false }),
        None => refuse(format!("has no VXLAN id: all from {VNI_MIN} to {VNI_MAX} are taken")),
    }
}
