//! Law 1: the crates that decide do no IO.

use super::source::has_word;
use super::tree::{Kind, Tree};
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "pure core",
    says: "model, store, orchestrator, allocator and scheduler do no IO: no runtime, no clock, no randomness, \
           no environment, no `async`, no order by hash; time and ids are arguments, so that a decision can be repeated",
    weight: Weight::Error,
    check,
};

/// The crates that decide, and the words they decide with.
pub const CRATES: &[&str] = &["model", "store", "orchestrator", "allocator", "scheduler"];
/// The only outside crates they may use.
const LIBRARIES: &[&str] = &["thiserror", "imbl"];
/// What none of their code may name.
const WORDS: &[&str] = &[
    "async",
    ".await",
    "tokio",
    "tonic",
    "rand",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "std::env",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "TcpStream",
    "UdpSocket",
    "println!",
    "eprintln!",
    "print!",
];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in tree.named(CRATES) {
        for dependency in each.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev) {
            let name = dependency.name.as_str();
            if !LIBRARIES.contains(&name) && !CRATES.contains(&name) {
                let what = format!("pure crate `{}` depends on `{name}`", each.name);
                breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
            }
        }
        for source in &each.sources {
            for (line, code) in source.own_code() {
                for word in WORDS.iter().filter(|word| has_word(code, word)) {
                    let what = format!("pure crate `{}` uses `{word}`", each.name);
                    breaches.push(Breach { file: source.path.clone(), line, what });
                }
            }
        }
    }
    breaches
}
