//! Only the outermost crates read arguments and the environment.

use std::path::Path;

use super::source::has_word;
use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "environment",
    says: "only `drover`, `cli` and `xtask` read arguments or the environment, and pass plain values down; \
           what a crate does follows from what it is given (a build script is given it so)",
    weight: Weight::Error,
    check,
};

const READERS: &[&str] = &["drover", "cli", "client", "container-cli", "xtask"];
const WORDS: &[&str] = &["env::var", "env::var_os", "env::vars", "env::vars_os", "env::args", "env::args_os"];
/// The first process of a container, whose environment is set by the runtime library and completed there.
const EXCEPTION: &str = "crates/shim/src/payload.rs";
/// Cargo says what it has to say to a build script in the environment.
const BUILD_SCRIPT: &str = "build.rs";

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in tree.crates.iter().filter(|each| !READERS.contains(&each.name.as_str())) {
        let is_free = |path: &Path| path == Path::new(EXCEPTION) || path == each.folder.join(BUILD_SCRIPT);
        for source in each.sources.iter().filter(|source| !is_free(&source.path)) {
            for (line, code) in source.own_code() {
                for word in WORDS.iter().filter(|word| has_word(code, word)) {
                    let what = format!("`{}` reads `{word}`", each.name);
                    breaches.push(Breach { file: source.path.clone(), line, what });
                }
            }
        }
    }
    breaches
}
