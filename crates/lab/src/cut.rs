//! Which hosts cannot send to which.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::namespace::Pins;
use crate::{links, nft};

/// Which way nothing passes between two groups of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Nothing passes either way.
    Both,
    /// The first group cannot send to the second, which still can send to the first.
    FirstToSecond,
}

/// Returns the pairs that a partition cuts.
pub(crate) fn pairs(first: &[&str], second: &[&str], direction: Direction) -> BTreeSet<(String, String)> {
    let there = first.iter().flat_map(|from| second.iter().map(move |to| (*from, *to)));
    let back = there.clone().map(|(from, to)| (to, from)).filter(|_| match direction {
        Direction::Both => true,
        Direction::FirstToSecond => false,
    });
    let distinct = there.chain(back).filter(|(from, to)| from != to);
    distinct.map(|(from, to)| (from.to_owned(), to.to_owned())).collect()
}

/// Makes the switch drop exactly what passes between these pairs.
///
/// Ports are named after their hosts, so that a cut holds when a host was down in between.
pub(crate) fn apply(pins: &Pins, cuts: &BTreeSet<(String, String)>) -> Result<()> {
    pins.within_net(links::SWITCH, || {
        nft::drop_between(cuts).map_err(Error::system("drop traffic between hosts with nftables"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &[&str], second: &[&str], direction: Direction, expected: &str) {
        let cut = pairs(first, second, direction);
        let text: Vec<String> = cut.iter().map(|(from, to)| format!("{from}→{to}")).collect();
        assert_eq!(text.join(" "), expected);
    }

    #[test]
    fn partitions_cut_the_pairs_between_groups_only() {
        check(&["a"], &["b"], Direction::Both, "a→b b→a");
        check(&["a"], &["b"], Direction::FirstToSecond, "a→b");
        check(&["a", "b"], &["c"], Direction::Both, "a→c b→c c→a c→b");
        check(&["a", "b"], &["b"], Direction::FirstToSecond, "a→b");
        check(&["a"], &["a"], Direction::Both, "");
    }
}
