//! Unsafe code stays where the kernel is.

use std::path::Path;

use super::source::has_word;
use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "unsafe code",
    says: "`unsafe` is for `cgroup`, `shim`, `container` and `network`, which speak to the kernel where no safe call \
           exists, and for the one place in `lab` that acts between fork and exec",
    weight: Weight::Error,
    check,
};

const CRATES: &[&str] = &["cgroup", "shim", "container", "network"];
const FILE: &str = "crates/lab/src/process.rs";

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in tree.crates.iter().filter(|each| !CRATES.contains(&each.name.as_str())) {
        for source in each.sources.iter().filter(|source| source.path != Path::new(FILE)) {
            for (line, code) in source.code().filter(|(_, code)| has_word(code, "unsafe")) {
                let what = format!("`{}` has unsafe code: {}", each.name, code.trim());
                breaches.push(Breach { file: source.path.clone(), line, what });
            }
        }
    }
    breaches
}
