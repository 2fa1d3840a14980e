//! A bounded table of flows. Pure: time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Names a flow: who sends, and to which of this host's addresses, from where the answers have to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) client: SocketAddr,
    pub(crate) local: Option<IpAddr>,
}

/// How many flows are looked at to find one to give up: the longest silent of eight is among the oldest third
/// in 96 of 100 cases, and finding it costs the same at any size.
const SAMPLE: usize = 8;

/// Holds at most `limit` flows.
#[derive(Debug)]
pub(crate) struct Flows<T> {
    limit: usize,
    flows: Vec<(Key, T)>,
    index: HashMap<Key, usize>,
}

impl<T> Flows<T> {
    pub(crate) fn new(limit: usize) -> Flows<T> {
        Flows { limit: limit.max(1), flows: Vec::new(), index: HashMap::new() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&T> {
        self.index.get(key).map(|at| &self.flows[*at].1)
    }

    /// Puts a flow in, and returns the one that had to go for it: its former self, or one silent for long.
    ///
    /// `age` tells how long a flow has been silent; `random` returns a number below its argument.
    pub(crate) fn insert(
        &mut self,
        key: Key,
        flow: T,
        age: impl Fn(&T) -> u64,
        mut random: impl FnMut(usize) -> usize,
    ) -> Option<T> {
        if let Some(at) = self.index.get(&key) {
            return Some(std::mem::replace(&mut self.flows[*at].1, flow));
        }
        let mut gone = None;
        if self.flows.len() >= self.limit {
            let sample = (0..SAMPLE).map(|_| random(self.flows.len()));
            let oldest = sample.max_by_key(|at| age(&self.flows[*at].1));
            gone = oldest.map(|at| self.flows[at].0).and_then(|key| self.remove(&key));
        }
        self.index.insert(key, self.flows.len());
        self.flows.push((key, flow));
        gone
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<T> {
        let at = self.index.remove(key)?;
        let (_, flow) = self.flows.swap_remove(at);
        if let Some((moved, _)) = self.flows.get(at) {
            self.index.insert(*moved, at);
        }
        Some(flow)
    }

    /// Takes out all flows of which this is true.
    pub(crate) fn take_if(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<(Key, T)> {
        let wanted = self.flows.iter().filter(|(_, flow)| is_wanted(flow)).map(|(key, _)| *key);
        let wanted: Vec<_> = wanted.collect();
        wanted.into_iter().filter_map(|key| Some((key, self.remove(&key)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(port: u16) -> Key {
        Key { client: ([127, 0, 0, 1], port).into(), local: None }
    }

    #[test]
    fn full_table_gives_up_one_that_was_silent_for_long() {
        let mut flows = Flows::new(3);
        for port in 1..=3 {
            flows.insert(key(port), u64::from(port), |age| *age, |_| 0);
        }
        let mut next = 0..;

        let gone = flows.insert(key(4), 0, |age| *age, |below| next.next().unwrap() % below);

        assert_eq!(gone, Some(3));
        assert_eq!((flows.get(&key(3)), flows.get(&key(4)), flows.get(&key(1))), (None, Some(&0), Some(&1)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u16, u64),
        Remove(u16),
        TakeAbove(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..20u16, 0..100u64).prop_map(|(port, value)| Step::Insert(port, value)),
            2 => (0..20u16).prop_map(Step::Remove),
            1 => (0..100u64).prop_map(Step::TakeAbove),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_that_is_never_too_large(steps in proptest::collection::vec(step(), 0..200)) {
            let mut flows = Flows::new(8);
            let mut model = BTreeMap::new();
            for (turn, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(port, value) => {
                        let was = model.insert(port, value);
                        let gone = flows.insert(key(port), value, |age| *age, |below| turn % below);
                        match (was, gone) {
                            (Some(was), gone) => prop_assert_eq!(gone, Some(was)),
                            (None, Some(_)) => model.retain(|port, _| flows.get(&key(*port)).is_some()),
                            (None, None) => {}
                        }
                    }
                    Step::Remove(port) => prop_assert_eq!(flows.remove(&key(port)), model.remove(&port)),
                    Step::TakeAbove(limit) => {
                        let taken = flows.take_if(|value| *value > limit).len();
                        let before = model.len();
                        model.retain(|_, value| *value <= limit);
                        prop_assert_eq!(taken, before - model.len());
                    }
                }
                prop_assert!(flows.flows.len() <= 8 && flows.flows.len() == model.len());
                for (port, value) in &model {
                    prop_assert_eq!(flows.get(&key(*port)), Some(value));
                }
            }
        }
    }
}
