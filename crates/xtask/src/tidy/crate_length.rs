//! A crate is one noun.

use super::source::Source;
use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "crate length",
    says: "a crate has at most 4,000 lines of code, tests aside; above that, look for the second noun",
    weight: Weight::Warning,
    check,
};

const LINES_MAX: usize = 4_000;

fn check(tree: &Tree) -> Vec<Breach> {
    let lengths =
        tree.crates.iter().map(|each| (each, each.sources.iter().map(Source::own_code_lines).sum()));
    let long = lengths.filter(|(_, lines): &(_, usize)| *lines > LINES_MAX);
    long.map(|(each, lines)| Breach::of_file(&each.manifest(), format!("{lines} lines of code"))).collect()
}
