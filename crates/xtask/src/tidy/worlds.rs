//! Law 2: managers and workers meet on the wire only.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "two worlds",
    says: "the manager side (manager, control, dispatcher, consensus) and the worker side (agent, engine, \
           container, image, network, ingress and what they use) never depend on each other, tests included; they meet in `wire` and `identity`",
    weight: Weight::Error,
    check,
};

/// The manager side.
pub const MANAGER: &[&str] = &["manager", "control", "dispatcher", "consensus"];
/// The worker side.
pub const WORKER: &[&str] = &[
    "agent",
    "registry",
    "image",
    "cgroup",
    "privilege",
    "shim",
    "container",
    "archive",
    "volume",
    "network",
    "ingress",
    "container-config",
    "engine",
];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (side, other) in [(MANAGER, WORKER), (WORKER, MANAGER)] {
        for each in tree.named(side) {
            for dependency in
                each.dependencies.iter().filter(|dependency| other.contains(&dependency.name.as_str()))
            {
                let what = format!("`{}` and `{}` are of different worlds", each.name, dependency.name);
                breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
            }
        }
    }
    breaches
}
