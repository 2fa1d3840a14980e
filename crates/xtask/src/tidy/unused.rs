//! A crate names what it uses.

use super::source::{Source, has_word};
use super::tree::{Crate, Tree};
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "unused dependencies",
    says: "a dependency that no code names is left out: it costs building time, and trust",
    weight: Weight::Error,
    check,
};

/// Named by generated code only.
const GENERATED: &[(&str, &str)] = &[("wire", "tonic-prost"), ("wire", "prost")];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        for dependency in &each.dependencies {
            let name = dependency.name.as_str();
            if !is_named(each, &name.replace('-', "_")) && !GENERATED.contains(&(each.name.as_str(), name)) {
                let what = format!("no code of `{}` names `{name}`", each.name);
                breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
            }
        }
    }
    breaches
}

fn is_named(each: &Crate, name: &str) -> bool {
    let names = |source: &Source| source.code().any(|(_, code)| has_word(code, name));
    each.sources.iter().any(names)
}
