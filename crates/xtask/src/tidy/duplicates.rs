//! Two versions of one crate are a choice, not an accident.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "duplicates",
    says: "a second version of a crate in Cargo.lock needs a line in deny.toml that says why it is there",
    weight: Weight::Error,
    check,
};

const FILE: &str = "deny.toml";

fn check(tree: &Tree) -> Vec<Breach> {
    let reasons = tree.texts.iter().find(|(path, _)| path == Path::new(FILE)).map_or("", |(_, text)| text);
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in &tree.locked {
        versions.entry(name).or_default().push(version);
    }
    let mut breaches = Vec::new();
    for (name, versions) in versions {
        let unexplained: Vec<&str> =
            versions.into_iter().filter(|version| !has_reason(reasons, name, version)).collect();
        // One version needs no word: it is the one that is meant.
        if unexplained.len() > 1 {
            let what = format!("`{name}` is there as {}", unexplained.join(" and "));
            breaches.push(Breach::of_file(Path::new(FILE), what));
        }
    }
    breaches
}

fn has_reason(reasons: &str, name: &str, version: &str) -> bool {
    let entry = format!("\"{name}@{version}\"");
    reasons.lines().any(|line| line.contains(&entry) && line.contains("reason = "))
}
