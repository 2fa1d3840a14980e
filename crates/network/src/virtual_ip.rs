//! Addresses that stand for several, and what to change when they stand for others. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Is an address of an overlay that stands for several of its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualIp {
    /// The address.
    pub address: Ipv4Addr,
    /// The addresses that connections to it go to; with none they are refused.
    pub backends: Vec<Ipv4Addr>,
}

/// Is what virtual addresses stand for: each backend has a numbered place, and keeps it as long as it can.
pub(crate) type Slots = BTreeMap<Ipv4Addr, Arc<[Ipv4Addr]>>;

/// Gives every wanted backend a place. Those of addresses that did not change are shared with the former ones.
pub(crate) fn arranged(former: &Slots, wanted: &[VirtualIp]) -> Slots {
    let none = Arc::from([]);
    let place = |wanted: &VirtualIp| {
        let former = former.get(&wanted.address).unwrap_or(&none);
        (wanted.address, arranged_one(former, wanted.backends.iter().copied().collect()))
    };
    wanted.iter().map(place).collect()
}

fn arranged_one(former: &Arc<[Ipv4Addr]>, mut newcomers: BTreeSet<Ipv4Addr>) -> Arc<[Ipv4Addr]> {
    let count = newcomers.len();
    let mut places: Vec<Option<Ipv4Addr>> =
        former.iter().take(count).map(|backend| newcomers.take(backend)).collect();
    if newcomers.is_empty() && former.len() == count {
        return former.clone();
    }
    places.resize(count, None);
    let mut newcomers = newcomers.into_iter();
    places.into_iter().filter_map(|place| place.or_else(|| newcomers.next())).collect()
}

/// Is everything to change in a container's table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Change {
    /// Numbers of backends that an address stands for, and none did before.
    pub(crate) add_counts: BTreeSet<u32>,
    /// Numbers of backends that none stands for any more.
    pub(crate) remove_counts: BTreeSet<u32>,
    pub(crate) add_virtual: BTreeSet<Ipv4Addr>,
    pub(crate) remove_virtual: BTreeSet<Ipv4Addr>,
    /// Addresses that stand for another number than before, or for none.
    pub(crate) uncount: BTreeSet<Ipv4Addr>,
    pub(crate) count: Vec<(Ipv4Addr, u32)>,
    pub(crate) remove_backends: Vec<(Ipv4Addr, u32)>,
    pub(crate) add_backends: Vec<(Ipv4Addr, u32, Ipv4Addr)>,
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Change::default()
    }
}

/// Returns what leads from the one to the other.
pub(crate) fn changes(present: &Slots, wanted: &Slots) -> Change {
    let mut change = Change::default();
    for (address, former) in present.iter().filter(|(address, _)| !wanted.contains_key(address)) {
        change.remove_virtual.insert(*address);
        change.replace(*address, former, &[]);
    }
    for (address, backends) in wanted {
        match present.get(address) {
            Some(former) if Arc::ptr_eq(former, backends) => {}
            Some(former) => change.replace(*address, former, backends),
            None => {
                change.add_virtual.insert(*address);
                change.replace(*address, &[], backends);
            }
        }
    }
    if !change.uncount.is_empty() || !change.count.is_empty() {
        let (before, after) = (counts(present), counts(wanted));
        change.add_counts = after.difference(&before).copied().collect();
        change.remove_counts = before.difference(&after).copied().collect();
    }
    change
}

impl Change {
    fn replace(&mut self, address: Ipv4Addr, former: &[Ipv4Addr], backends: &[Ipv4Addr]) {
        if former.len() != backends.len() {
            if !former.is_empty() {
                self.uncount.insert(address);
            }
            if !backends.is_empty() {
                self.count.push((address, backends.len() as u32));
            }
        }
        for slot in 0..former.len().max(backends.len()) {
            let (old, new) = (former.get(slot), backends.get(slot));
            if old == new {
                continue;
            }
            if old.is_some() {
                self.remove_backends.push((address, slot as u32));
            }
            self.add_backends.extend(new.map(|backend| (address, slot as u32, *backend)));
        }
    }
}

fn counts(slots: &Slots) -> BTreeSet<u32> {
    slots.values().map(|backends| backends.len() as u32).filter(|count| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 1, last)
    }

    /// Reads `2: 5 6 7 | 3:`.
    fn virtual_ips(text: &str) -> Vec<VirtualIp> {
        let parts = text.split('|').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| {
                let (at, backends) = part.split_once(':').unwrap();
                let backends =
                    backends.split_whitespace().map(|last| address(last.parse().unwrap())).collect();
                VirtualIp { address: address(at.parse().unwrap()), backends }
            })
            .collect()
    }

    fn check(former: &str, wanted: &str, expected: &str) {
        let former = arranged(&Slots::new(), &virtual_ips(former));
        let wanted = arranged(&former, &virtual_ips(wanted));

        let change = changes(&former, &wanted);

        let last = |address: &Ipv4Addr| address.octets()[3].to_string();
        let mut told: Vec<String> = change.add_counts.iter().map(|count| format!("+of{count}")).collect();
        told.extend(change.remove_counts.iter().map(|count| format!("-of{count}")));
        told.extend(change.add_virtual.iter().map(|at| format!("+{}", last(at))));
        told.extend(change.remove_virtual.iter().map(|at| format!("-{}", last(at))));
        told.extend(change.uncount.iter().map(|at| format!("-{}→", last(at))));
        told.extend(change.count.iter().map(|(at, count)| format!("{}→of{count}", last(at))));
        told.extend(change.remove_backends.iter().map(|(at, slot)| format!("-{}.{slot}", last(at))));
        told.extend(
            change.add_backends.iter().map(|(at, slot, to)| format!("{}.{slot}→{}", last(at), last(to))),
        );
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn a_change_of_one_backend_changes_few_elements() {
        check("", "2: 5 6", "+of2 +2 2→of2 2.0→5 2.1→6");
        check("2: 5 6", "2: 6 5", "");
        check("2: 5 6", "2: 5 6 7", "+of3 -of2 -2→ 2→of3 2.2→7");
        check("2: 5 6 7", "2: 6 7", "+of2 -of3 -2→ 2→of2 -2.0 -2.2 2.0→7");
        check("2: 5 6 7", "2: 5 6 8", "-2.2 2.2→8");
        check("2: 5 | 3: 6", "2: 5 | 3: 6 7", "+of2 -3→ 3→of2 3.1→7");
        check("2: 5", "2:", "-of1 -2→ -2.0");
        check("2:", "2: 5", "+of1 2→of1 2.0→5");
        check("2: 5 | 3: 6", "3: 6", "-2 -2→ -2.0");
    }

    /// What the kernel holds.
    #[derive(Debug, Default, PartialEq)]
    struct Kernel {
        counts: BTreeMap<Ipv4Addr, u32>,
        backends: BTreeMap<(Ipv4Addr, u32), Ipv4Addr>,
        of: BTreeSet<u32>,
        virtual_ips: BTreeSet<Ipv4Addr>,
    }

    impl Kernel {
        fn take(&mut self, change: &Change) {
            change.add_counts.iter().for_each(|count| assert!(self.of.insert(*count)));
            change.uncount.iter().for_each(|at| assert!(self.counts.remove(at).is_some()));
            for (at, count) in &change.count {
                assert!(self.of.contains(count) && self.counts.insert(*at, *count).is_none());
            }
            change.remove_backends.iter().for_each(|key| assert!(self.backends.remove(key).is_some()));
            for (at, slot, to) in &change.add_backends {
                assert!(self.backends.insert((*at, *slot), *to).is_none());
            }
            change.remove_virtual.iter().for_each(|at| assert!(self.virtual_ips.remove(at)));
            change.add_virtual.iter().for_each(|at| assert!(self.virtual_ips.insert(*at)));
            for count in &change.remove_counts {
                assert!(self.of.remove(count) && !self.counts.values().any(|used| used == count));
            }
        }
    }

    proptest! {
        #[test]
        fn every_change_leads_where_it_shall(
            steps in vec(btree_map(0..4u8, vec(10..30u8, 0..8), 0..4), 1..6),
        ) {
            let (mut kernel, mut present) = (Kernel::default(), Slots::new());
            for step in steps {
                let wanted: Vec<VirtualIp> = step
                    .into_iter()
                    .map(|(at, backends)| VirtualIp {
                        address: address(at),
                        backends: backends.into_iter().map(address).collect(),
                    })
                    .collect();
                let target = arranged(&present, &wanted);

                kernel.take(&changes(&present, &target));

                for VirtualIp { address, backends } in &wanted {
                    let backends: BTreeSet<_> = backends.iter().copied().collect();
                    let count = kernel.counts.get(address).copied().unwrap_or(0);
                    let held = (0..count).map(|slot| kernel.backends[&(*address, slot)]);
                    prop_assert_eq!(held.collect::<BTreeSet<_>>(), backends.clone());
                    prop_assert_eq!(count as usize, backends.len());
                }
                prop_assert_eq!(kernel.virtual_ips.len(), wanted.len());
                prop_assert_eq!(&kernel.of, &counts(&target));
                prop_assert_eq!(kernel.backends.len(), target.values().map(|all| all.len()).sum::<usize>());
                prop_assert!(changes(&target, &arranged(&target, &wanted)).is_empty());
                present = target;
            }
        }
    }
}
