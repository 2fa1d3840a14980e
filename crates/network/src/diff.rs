//! Compares the wanted overlays with those present and says what to change. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::{Error, Ipv4Net, Mac, VirtualIp, mac_of};

/// A VXLAN network identifier has 24 bits; 0 is left alone because devices treat it as unset.
const VNI_MAX: u32 = 0xff_ffff;
/// The smallest MTU every IPv4 host must take.
const MTU_MIN: u32 = 576;

/// Is one overlay network as this host shall know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The network's id; names its namespace below the run folder.
    pub network_id: String,
    /// The number that keeps overlays apart on the wire.
    pub vni: u32,
    /// The range its endpoints are in.
    pub subnet: Ipv4Net,
    /// The MTU inside; the underlay's less the VXLAN header if absent.
    pub mtu: Option<u32>,
    /// Addresses this host itself has inside the overlay's namespace.
    pub node_addresses: Vec<Ipv4Net>,
    /// Ranges beside the subnet that containers reach over this network without a gateway.
    pub routes: Vec<Ipv4Net>,
    /// Every endpoint of the network; those on this host are skipped.
    pub peers: Vec<Peer>,
    /// Addresses that stand for several endpoints, for the containers of this host.
    pub virtual_ips: Vec<VirtualIp>,
    /// Whether its containers reach `routes` alone, and not each other.
    pub is_parted: bool,
}

/// Is an endpoint of an overlay and the node it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its address inside the overlay.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
    /// Its node's underlay address.
    pub node: IpAddr,
}

/// Is a VXLAN device's identity: a device that differs has to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) vni: u32,
    pub(crate) local: IpAddr,
    pub(crate) port: u16,
    pub(crate) mtu: u32,
}

/// Is what an overlay's namespace holds; the default is a fresh namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Present {
    /// The bridge's hardware address, if there is a bridge.
    pub(crate) bridge: Option<Mac>,
    pub(crate) device: Option<Device>,
    pub(crate) addresses: BTreeSet<Ipv4Net>,
    pub(crate) routes: BTreeSet<Ipv4Net>,
    pub(crate) neighbours: BTreeMap<Ipv4Addr, Mac>,
    pub(crate) forwardings: BTreeMap<Mac, IpAddr>,
}

/// Says what becomes of an overlay's VXLAN device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChange {
    Keep,
    Make(Device),
    /// Remove the one that is there first.
    Remake(Device),
}

/// Says what becomes of an overlay's bridge; the address is the one it shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BridgeChange {
    Keep,
    Make(Mac),
    Readdress(Mac),
}

/// Is everything to change in one overlay's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) bridge: BridgeChange,
    pub(crate) device: DeviceChange,
    pub(crate) add_addresses: Vec<Ipv4Net>,
    pub(crate) remove_addresses: Vec<Ipv4Net>,
    pub(crate) add_routes: Vec<Ipv4Net>,
    pub(crate) put_neighbours: Vec<(Ipv4Addr, Mac)>,
    pub(crate) remove_neighbours: Vec<Ipv4Addr>,
    pub(crate) put_forwardings: Vec<(Mac, IpAddr)>,
    pub(crate) remove_forwardings: Vec<Mac>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        let Changes {
            bridge,
            device,
            add_addresses,
            remove_addresses,
            add_routes,
            put_neighbours,
            remove_neighbours,
            put_forwardings,
            remove_forwardings,
        } = self;
        *bridge == BridgeChange::Keep
            && *device == DeviceChange::Keep
            && add_addresses.is_empty()
            && remove_addresses.is_empty()
            && add_routes.is_empty()
            && put_neighbours.is_empty()
            && remove_neighbours.is_empty()
            && put_forwardings.is_empty()
            && remove_forwardings.is_empty()
    }
}

/// Is what all overlays of a host share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Underlay {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// The MTU of an overlay that names none.
    pub(crate) mtu: u32,
}

/// Returns what an overlay's namespace shall hold.
pub(crate) fn wanted(overlay: &Overlay, underlay: &Underlay) -> Present {
    let own = overlay.node_addresses.first().map_or(overlay.subnet.network().address(), |net| net.address());
    let remote = || overlay.peers.iter().filter(|peer| peer.node != underlay.address);
    Present {
        bridge: Some(mac_of(own)),
        device: Some(Device {
            vni: overlay.vni,
            local: underlay.address,
            port: underlay.port,
            mtu: overlay.mtu.unwrap_or(underlay.mtu),
        }),
        addresses: overlay.node_addresses.iter().copied().collect(),
        routes: BTreeSet::from([overlay.subnet.network()]),
        neighbours: remote().map(|peer| (peer.address, peer.mac)).collect(),
        forwardings: remote().map(|peer| (peer.mac, peer.node)).collect(),
    }
}

/// Returns what leads from the one to the other.
pub(crate) fn diff(wanted: &Present, present: &Present) -> Changes {
    let device = match (wanted.device, present.device) {
        (Some(wanted), None) => DeviceChange::Make(wanted),
        (Some(wanted), Some(present)) if wanted != present => DeviceChange::Remake(wanted),
        (Some(_) | None, _) => DeviceChange::Keep,
    };
    let bridge = match (wanted.bridge, present.bridge) {
        (Some(mac), None) => BridgeChange::Make(mac),
        (Some(mac), Some(present)) if mac != present => BridgeChange::Readdress(mac),
        (Some(_) | None, _) => BridgeChange::Keep,
    };
    // A device's entries go with it, and so do a bridge's addresses.
    let nothing = Present::default();
    let entries = if device == DeviceChange::Keep { present } else { &nothing };
    let bridged = if matches!(bridge, BridgeChange::Make(_)) { &nothing } else { present };
    Changes {
        bridge,
        device,
        add_addresses: wanted.addresses.difference(&bridged.addresses).copied().collect(),
        remove_addresses: bridged.addresses.difference(&wanted.addresses).copied().collect(),
        add_routes: wanted.routes.difference(&bridged.routes).copied().collect(),
        put_neighbours: missing(&wanted.neighbours, &entries.neighbours),
        remove_neighbours: surplus(&wanted.neighbours, &entries.neighbours),
        put_forwardings: missing(&wanted.forwardings, &entries.forwardings),
        remove_forwardings: surplus(&wanted.forwardings, &entries.forwardings),
    }
}

fn missing<K: Ord + Copy, V: PartialEq + Copy>(
    wanted: &BTreeMap<K, V>,
    present: &BTreeMap<K, V>,
) -> Vec<(K, V)> {
    let changed = wanted.iter().filter(|(key, value)| present.get(key) != Some(value));
    changed.map(|(key, value)| (*key, *value)).collect()
}

fn surplus<K: Ord + Copy, V>(wanted: &BTreeMap<K, V>, present: &BTreeMap<K, V>) -> Vec<K> {
    present.keys().filter(|key| !wanted.contains_key(key)).copied().collect()
}

/// Refuses overlays that contradict themselves or each other, before anything is changed.
pub(crate) fn check(overlays: &[Overlay]) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut vnis = BTreeMap::new();
    for overlay in overlays {
        let bad = |reason: String| Err(Error::BadOverlay { network: overlay.network_id.clone(), reason });
        if !names.insert(&overlay.network_id) {
            return bad("it is listed twice".into());
        }
        if overlay.vni == 0 || overlay.vni > VNI_MAX {
            return bad(format!("its VNI {} is not between 1 and {VNI_MAX}", overlay.vni));
        }
        if let Some(other) = vnis.insert(overlay.vni, &overlay.network_id) {
            return bad(format!("its VNI {} is that of network {other} too", overlay.vni));
        }
        if let Some(mtu) = overlay.mtu.filter(|mtu| *mtu < MTU_MIN || *mtu > u32::from(u16::MAX)) {
            return bad(format!("its MTU {mtu} is not between {MTU_MIN} and {}", u16::MAX));
        }
        let mut virtual_ips = BTreeSet::new();
        if let Some(twice) = overlay.virtual_ips.iter().find(|each| !virtual_ips.insert(each.address)) {
            return bad(format!("its virtual address {} is listed twice", twice.address));
        }
        if let Some(peer) = overlay.peers.iter().find(|peer| peer.mac[0] & 1 == 1 || peer.mac == [0; 6]) {
            return bad(format!("the hardware address of {} stands for no single endpoint", peer.address));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNDERLAY: Underlay =
        Underlay { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port: 4789, mtu: 1450 };

    /// Reads `vni 7 | mtu 1400 | own 198.18.0.1/32 | 10.0.0.5@192.0.2.2`.
    fn overlay(text: &str) -> Overlay {
        let mut overlay = Overlay {
            network_id: "net".into(),
            vni: 1,
            subnet: "10.0.0.0/24".parse().unwrap(),
            mtu: None,
            node_addresses: Vec::new(),
            routes: Vec::new(),
            peers: Vec::new(),
            virtual_ips: Vec::new(),
            is_parted: false,
        };
        for part in text.split('|').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once(' ') {
                Some(("vni", vni)) => overlay.vni = vni.parse().unwrap(),
                Some(("mtu", mtu)) => overlay.mtu = Some(mtu.parse().unwrap()),
                Some(("own", own)) => overlay.node_addresses.push(own.parse().unwrap()),
                Some(other) => panic!("{other:?}"),
                None => {
                    let (address, node) = part.split_once('@').unwrap();
                    let address = address.parse().unwrap();
                    overlay.peers.push(Peer { address, mac: mac_of(address), node: node.parse().unwrap() });
                }
            }
        }
        overlay
    }

    fn describe(changes: &Changes) -> String {
        let mut words = Vec::new();
        match changes.bridge {
            BridgeChange::Keep => {}
            BridgeChange::Make(_) => words.push("bridge".to_owned()),
            BridgeChange::Readdress(mac) => words.push(format!("mac .{}", mac[5])),
        }
        match changes.device {
            DeviceChange::Keep => {}
            DeviceChange::Make(device) => words.push(format!("device {} {}", device.vni, device.mtu)),
            DeviceChange::Remake(device) => words.push(format!("remake {} {}", device.vni, device.mtu)),
        }
        words.extend(changes.add_addresses.iter().map(|net| format!("+{net}")));
        words.extend(changes.remove_addresses.iter().map(|net| format!("-{net}")));
        words.extend(changes.add_routes.iter().map(|net| format!("route {net}")));
        words.extend(changes.put_neighbours.iter().map(|(address, _)| format!("arp {address}")));
        words.extend(changes.remove_neighbours.iter().map(|address| format!("-arp {address}")));
        words.extend(changes.put_forwardings.iter().map(|(mac, node)| format!("fdb .{}@{node}", mac[5])));
        words.extend(changes.remove_forwardings.iter().map(|mac| format!("-fdb .{}", mac[5])));
        words.join(", ")
    }

    fn check_diff(present: Option<&str>, asked: &str, expected: &str) {
        let present = present.map_or_else(Present::default, |text| wanted(&overlay(text), &UNDERLAY));
        let target = wanted(&overlay(asked), &UNDERLAY);

        let changes = diff(&target, &present);

        assert_eq!(describe(&changes), expected, "{present:?} to {asked}");
        assert!(diff(&target, &target).is_empty());
    }

    #[test]
    fn fresh_namespace_gets_everything() {
        check_diff(None, "vni 7", "bridge, device 7 1450, route 10.0.0.0/24");
        check_diff(
            None,
            "vni 7 | mtu 1300 | own 198.18.0.3/32 | 10.0.0.5@192.0.2.2",
            "bridge, device 7 1300, +198.18.0.3/32, route 10.0.0.0/24, arp 10.0.0.5, fdb .5@192.0.2.2",
        );
    }

    #[test]
    fn only_the_difference_is_changed() {
        check_diff(Some("10.0.0.5@192.0.2.2"), "10.0.0.5@192.0.2.2", "");
        check_diff(Some("10.0.0.5@192.0.2.2"), "10.0.0.5@192.0.2.3", "fdb .5@192.0.2.3");
        check_diff(
            Some("10.0.0.5@192.0.2.2 | 10.0.0.6@192.0.2.2"),
            "10.0.0.6@192.0.2.2 | 10.0.0.7@192.0.2.3",
            "arp 10.0.0.7, -arp 10.0.0.5, fdb .7@192.0.2.3, -fdb .5",
        );
    }

    #[test]
    fn endpoints_of_this_host_are_no_peers() {
        check_diff(Some(""), "10.0.0.5@192.0.2.1", "");
        check_diff(Some("10.0.0.5@192.0.2.2"), "10.0.0.5@192.0.2.1", "-arp 10.0.0.5, -fdb .5");
    }

    #[test]
    fn changed_identity_remakes_the_device_with_all_entries() {
        check_diff(
            Some("vni 7 | 10.0.0.5@192.0.2.2"),
            "vni 8 | 10.0.0.5@192.0.2.2",
            "remake 8 1450, arp 10.0.0.5, fdb .5@192.0.2.2",
        );
    }

    #[test]
    fn bridge_follows_the_node_address() {
        check_diff(Some("own 198.18.0.3/32"), "own 198.18.0.4/32", "mac .4, +198.18.0.4/32, -198.18.0.3/32");
    }

    #[test]
    fn contradictions_are_refused() {
        let other = |text: &str| Overlay { network_id: "other".into(), ..overlay(text) };
        let mut multicast = overlay("10.0.0.5@192.0.2.2");
        multicast.peers[0].mac[0] = 1;
        let cases = [
            (vec![overlay("vni 1"), other("vni 1")], "VNI 1 is that of network net too"),
            (vec![overlay("vni 1"), overlay("vni 2")], "listed twice"),
            (vec![overlay("vni 0")], "not between 1 and"),
            (vec![overlay("vni 16777216")], "not between 1 and"),
            (vec![overlay("mtu 100")], "MTU 100 is not"),
            (vec![multicast], "stands for no single endpoint"),
        ];
        for (overlays, reason) in cases {
            let text = check(&overlays).unwrap_err().to_string();
            assert!(text.contains(reason), "{text}");
        }
        assert!(check(&[overlay("vni 1"), other("vni 2")]).is_ok());
    }
}
