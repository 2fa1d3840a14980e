//! Arrows between crates point downwards, and each is known.

use super::tree::{Kind, Tree};
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "layers",
    says: "a crate depends on crates below it, and only on those that the table in tidy/layers.rs gives it; \
           a further arrow is a commit of its own that says why",
    weight: Weight::Error,
    check,
};

/// Every crate from bottom to top, with the crates of ours it may use.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("orchestrator", &["model", "store"]),
    ("allocator", &["model", "store"]),
    ("scheduler", &["model", "store"]),
    ("wire", &["model", "store"]),
    ("identity", &["wire"]),
    ("engine-json", &["model"]),
    ("container-json", &["engine-json"]),
    ("consensus", &["model", "store", "wire", "identity"]),
    ("control", &["model", "store", "allocator", "identity", "consensus"]),
    ("dispatcher", &["model", "store", "wire", "identity", "consensus"]),
    ("manager", &["model", "store", "orchestrator", "allocator", "scheduler", "consensus"]),
    ("agent", &["model", "wire", "identity"]),
    ("registry", &[]),
    ("archive", &[]),
    ("image", &["registry", "archive"]),
    ("cgroup", &[]),
    ("privilege", &[]),
    ("shim", &["cgroup", "privilege"]),
    ("container", &["cgroup", "shim"]),
    ("volume", &["archive"]),
    ("network", &[]),
    ("dns", &[]),
    ("http1", &[]),
    ("ingress", &["http1"]),
    ("container-config", &["engine-json", "container-json", "image", "container", "network"]),
    (
        "engine",
        &[
            "engine-json",
            "container-json",
            "image",
            "container",
            "archive",
            "volume",
            "network",
            "container-config",
        ],
    ),
    ("docker-api", &["model", "store", "engine-json", "container-json", "control", "consensus"]),
    ("format", &[]),
    ("flags", &["engine-json", "format"]),
    ("service-flags", &["engine-json", "format", "flags"]),
    ("container-flags", &["engine-json", "container-json", "format", "flags"]),
    ("client", &["engine-json", "format"]),
    ("container-cli", &["engine-json", "container-json", "archive", "format", "container-flags", "client"]),
    ("cli", &["engine-json", "container-json", "format", "service-flags", "client", "container-cli"]),
    ("lab", &[]),
    ("testkit", &["model", "store"]),
    ("harness", &[]),
    ("xtask", &[]),
    ("drover", ALL),
    ("tests", &[]),
];
/// The binary knows everyone who runs in it.
const ALL: &[&str] = &[
    "model",
    "store",
    "identity",
    "engine-json",
    "container-json",
    "consensus",
    "control",
    "dispatcher",
    "manager",
    "agent",
    "registry",
    "image",
    "shim",
    "container",
    "archive",
    "volume",
    "network",
    "dns",
    "ingress",
    "engine",
    "docker-api",
    "cli",
    "lab",
];
fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == each.name) else {
            let what = format!("crate `{}` is not in the table of layers", each.name);
            breaches.push(Breach::of_file(&each.manifest(), what));
            continue;
        };
        let is_known = |name: &str| TABLE.iter().any(|(known, _)| *known == name);
        for dependency in each.dependencies.iter().filter(|dependency| tree.is_own(&dependency.name)) {
            let name = dependency.name.as_str();
            // Tests put pieces together as they like; that what they use is below is for cargo to see.
            let is_for_tests = dependency.kind == Kind::Dev && is_known(name);
            if !allowed.contains(&name) && !is_for_tests {
                let what = format!("`{}` may not depend on `{name}`", each.name);
                breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_points_downwards() {
        for (index, (name, allowed)) in TABLE.iter().enumerate() {
            for used in *allowed {
                let below = TABLE[..index].iter().any(|(below, _)| below == used);
                assert!(below, "`{name}` uses `{used}`, which is not below it");
            }
        }
    }
}
