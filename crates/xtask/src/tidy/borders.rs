//! Law 3: what is awkward outside is known in one place inside.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "borders",
    says: "an outside crate that shapes code is known to few: prost and its code in `wire`, raft and its protobuf in \
           `consensus`, kernel calls in the crates that own a part of the kernel; others use our own types",
    weight: Weight::Error,
    check,
};

/// Outside crates, and who may use them.
const OWNERS: &[(&[&str], &[&str])] = &[
    (&["prost", "tonic-prost", "tonic-prost-build", "protox"], &["wire"]),
    (&["raft", "protobuf", "slog"], &["consensus"]),
    (
        &["nix"],
        &[
            "cgroup",
            "privilege",
            "shim",
            "container",
            "archive",
            "volume",
            "network",
            "ingress",
            "image",
            "client",
            "lab",
            "drover",
        ],
    ),
    // In `image` and `lab` for the numbers of errors, in `privilege` for those of calls; calls themselves are unsafe,
    // which another law keeps out.
    (
        &["libc"],
        &[
            "cgroup",
            "privilege",
            "shim",
            "container",
            "archive",
            "volume",
            "network",
            "image",
            "lab",
            "drover",
        ],
    ),
    (&["libcontainer"], &["shim"]),
    (&["rtnetlink"], &["network", "lab"]),
    (&["reqwest"], &["registry"]),
    (&["rcgen", "x509-parser"], &["identity", "image", "registry"]),
    (&["axum"], &["docker-api"]),
    (&["imbl"], &["store"]),
    (&["clap"], &["service-flags", "container-flags", "container-cli", "cli", "drover", "xtask"]),
    (&["anyhow"], &["cli", "drover", "client", "container-cli", "xtask", "tests"]),
];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        for dependency in &each.dependencies {
            let owners = OWNERS.iter().find(|(outside, _)| outside.contains(&dependency.name.as_str()));
            let Some((_, owners)) = owners else { continue };
            if !owners.contains(&each.name.as_str()) {
                let what = format!(
                    "`{}` uses `{}`, which is for {} only",
                    each.name,
                    dependency.name,
                    owners.join(", ")
                );
                breaches.push(Breach { file: each.manifest(), line: dependency.line, what });
            }
        }
    }
    breaches
}
