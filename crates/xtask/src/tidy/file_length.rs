//! A file is one idea.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "file length",
    says: "a file has at most 600 lines, its tests aside: aim at 250, split by noun",
    weight: Weight::Error,
    check,
};

const LINES_MAX: usize = 600;

fn check(tree: &Tree) -> Vec<Breach> {
    let sources = tree.crates.iter().flat_map(|each| &each.sources);
    let long = sources.map(|source| (source, source.own_lines())).filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(source, lines)| Breach::of_file(&source.path, format!("{lines} lines"))).collect()
}
