//! The repository speaks of Drover alone.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "local words",
    says: "nothing names a folder of the machine it was written on: that means nothing elsewhere",
    weight: Weight::Error,
    check,
};

/// Put together here so that this file does not find itself.
pub const WORDS: &[&str] = &[concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/tmp/", "t/")];

fn check(tree: &Tree) -> Vec<Breach> {
    let sources =
        tree.crates.iter().flat_map(|each| &each.sources).map(|source| (&source.path, &source.text));
    let texts = tree.texts.iter().map(|(path, text)| (path, text));
    let mut breaches = Vec::new();
    for (path, text) in sources.chain(texts) {
        for (index, line) in text.lines().enumerate() {
            for word in WORDS.iter().filter(|word| line.contains(**word)) {
                breaches.push(Breach { file: path.clone(), line: index + 1, what: format!("`{word}`") });
            }
        }
    }
    breaches
}
