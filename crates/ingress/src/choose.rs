//! Picks a backend: the less loaded of two random ones. Pure.

/// Up to here all backends are looked at for each choice; above, two come first, and all only if those do not do.
const SCANNED_MAX: usize = 16;

/// Is what the choice knows of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It may be used; the number is its active connections.
    Usable(usize),
    /// It failed a moment ago and is used only if no other is left.
    Avoided(usize),
    /// This connection tried it already.
    Tried,
}

/// No client is worth more attempts than this.
const TRIED_MAX: usize = 8;

/// Remembers which members were tried for one client, without memory of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried {
    /// Numbers of members; none is 0.
    ids: [u64; TRIED_MAX],
    count: usize,
}

impl Tried {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == TRIED_MAX
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.ids[..self.count].contains(&id)
    }

    pub(crate) fn add(&mut self, id: u64) {
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = id;
            self.count += 1;
        }
    }

    /// Lets a member be tried again.
    pub(crate) fn forget(&mut self, id: u64) {
        if let Some(at) = self.ids[..self.count].iter().position(|tried| *tried == id) {
            self.count -= 1;
            self.ids.swap(at, self.count);
        }
    }
}

/// Returns which of `count` backends to use; `None` if every one was tried.
///
/// `random` returns a number below its argument. Two choices keep the load nearly even without a view of all, and
/// unlike "the least loaded of all" do not send a burst of connections to a single newcomer.
pub(crate) fn choose(
    count: usize,
    state: impl Fn(usize) -> State,
    mut random: impl FnMut(usize) -> usize,
) -> Option<usize> {
    if count > SCANNED_MAX
        && let Some(quick) = two_at_once(count, &state, &mut random)
    {
        return Some(quick);
    }
    let usable = |index: usize| match state(index) {
        State::Usable(active) => Some(active),
        State::Avoided(_) | State::Tried => None,
    };
    let avoided = |index: usize| match state(index) {
        State::Avoided(active) => Some(active),
        State::Usable(_) | State::Tried => None,
    };
    two_of(count, usable, &mut random).or_else(|| two_of(count, avoided, &mut random))
}

/// Looks at two of all, which among many healthy backends is nearly always enough.
fn two_at_once(
    count: usize,
    state: &impl Fn(usize) -> State,
    random: &mut impl FnMut(usize) -> usize,
) -> Option<usize> {
    let (first, second) = two_different(count, random);
    match (state(first), state(second)) {
        (State::Usable(one), State::Usable(other)) => Some(if other < one { second } else { first }),
        (State::Usable(_) | State::Avoided(_) | State::Tried, _) => None,
    }
}

/// Returns two different numbers below `count`, which is at least 2; all pairs are equally likely.
fn two_different(count: usize, random: &mut impl FnMut(usize) -> usize) -> (usize, usize) {
    let first = random(count);
    let second = random(count - 1);
    (first, if second >= first { second + 1 } else { second })
}

fn two_of(
    count: usize,
    active: impl Fn(usize) -> Option<usize>,
    random: &mut impl FnMut(usize) -> usize,
) -> Option<usize> {
    let eligible = || (0..count).filter_map(|index| Some((index, active(index)?)));
    let total = eligible().count();
    if total <= 1 {
        return eligible().next().map(|(index, _)| index);
    }
    let (first, second) = two_different(total, random);
    // A backend may change its state between two looks; the last eligible one stands in for one that is gone.
    let at = |position: usize| eligible().nth(position).or_else(|| eligible().last());
    match (at(first), at(second)) {
        (Some(first), Some(second)) => Some(if second.1 < first.1 { second.0 } else { first.0 }),
        (Some(only), None) | (None, Some(only)) => Some(only.0),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::State::{Avoided, Tried, Usable};
    use super::*;

    /// Chooses among `states` with the given random numbers, as `a`, `b`, …
    fn check(states: &[State], numbers: &[usize], expected: Option<usize>) {
        let mut numbers = numbers.iter().copied();
        let chosen = choose(states.len(), |index| states[index], |below| numbers.next().unwrap() % below);
        assert_eq!(chosen, expected, "{states:?}");
    }

    #[test]
    fn less_loaded_of_the_two_is_chosen() {
        check(&[Usable(3), Usable(1), Usable(0)], &[0, 0], Some(1));
        check(&[Usable(3), Usable(1), Usable(0)], &[1, 0], Some(1));
        check(&[Usable(3), Usable(1), Usable(0)], &[0, 1], Some(2));
        check(&[Usable(2), Usable(2)], &[1, 0], Some(1));
    }

    #[test]
    fn failed_backend_is_used_only_as_the_last_resort() {
        check(&[Avoided(0), Usable(9)], &[], Some(1));
        check(&[Avoided(0), Tried], &[], Some(0));
        check(&[Avoided(5), Avoided(2), Tried], &[0, 0], Some(1));
        check(&[Tried, Tried], &[], None);
        check(&[], &[], None);
    }

    #[test]
    fn among_many_two_are_looked_at() {
        let looked = std::cell::Cell::new(0);
        let state = |index: usize| {
            looked.set(looked.get() + 1);
            Usable(index)
        };

        assert_eq!(choose(1000, state, |below| below - 1), Some(998));

        assert_eq!(looked.get(), 2);
        assert_eq!(choose(1000, |index| if index == 7 { Usable(1) } else { Tried }, |_| 0), Some(7));
    }

    #[test]
    fn tried_are_remembered_up_to_a_bound() {
        let mut tried = super::Tried::default();
        (1..=9).for_each(|id| tried.add(id));
        assert!(tried.is_full() && tried.contains(8) && !tried.contains(9) && !tried.contains(0));

        tried.forget(3);
        tried.forget(99);

        assert!(!tried.is_full() && !tried.contains(3) && tried.contains(8));
        assert_eq!(tried.count(), 7);
    }

    fn states() -> impl Strategy<Value = Vec<State>> {
        let state = prop_oneof![(0..20usize).prop_map(Usable), (0..20usize).prop_map(Avoided), Just(Tried),];
        proptest::collection::vec(state, 0..24)
    }

    proptest! {
        #[test]
        fn choice_is_never_worse_than_need_be(states in states(), one: usize, two: usize) {
            let mut numbers = [one, two].into_iter().cycle();

            let chosen = choose(states.len(), |index| states[index], |below| numbers.next().unwrap() % below);

            let usable = states.iter().filter(|state| matches!(state, Usable(_))).count();
            let avoided = states.iter().filter(|state| matches!(state, Avoided(_))).count();
            match chosen.map(|index| states[index]) {
                Some(Usable(active)) => {
                    // Of two different ones the less loaded: the most loaded alone is never chosen.
                    let worse = states.iter().filter(|state| matches!(state, Usable(other) if *other >= active));
                    prop_assert!(usable == 1 || worse.count() >= 2);
                }
                Some(Avoided(_)) => prop_assert_eq!(usable, 0),
                Some(Tried) => prop_assert!(false, "a tried backend was chosen again"),
                None => prop_assert_eq!(usable + avoided, 0),
            }
        }

        #[test]
        fn load_stays_even(backends in 2..10usize, seed: u64) {
            let mut load = vec![0usize; backends];
            let mut random = seed;
            for _ in 0..backends * 100 {
                let chosen = choose(backends, |index| Usable(load[index]), |below| {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (random >> 33) as usize % below
                });
                load[chosen.unwrap()] += 1;
            }
            let (least, most) = (load.iter().min().unwrap(), load.iter().max().unwrap());
            prop_assert!(most - least <= 10, "{load:?}");
        }
    }
}
