//! Versions are said once.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "versions",
    says: "versions and features of dependencies stand in the root manifest only; crates write `NAME.workspace = true`",
    weight: Weight::Error,
    check,
};

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        for dependency in each.dependencies.iter().filter(|dependency| !dependency.is_inherited) {
            let what = format!("`{}` has a version of its own", dependency.name);
            breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
        }
    }
    breaches
}
