//! Names that say something.

use std::path::Path;

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "names",
    says: "a crate has the name of its folder, and no file is called after nothing (utils, common, misc, helpers)",
    weight: Weight::Error,
    check,
};

const EMPTY: &[&str] = &["util", "utils", "common", "misc", "helper", "helpers", "stuff"];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        if each.folder.file_name().is_none_or(|folder| folder != each.name.as_str()) {
            let what = format!("crate `{}` lies in a folder of another name", each.name);
            breaches.push(Breach::of_file(&each.manifest(), what));
        }
        for source in &each.sources {
            let names = source.path.iter().filter_map(|part| Path::new(part).file_stem()?.to_str());
            for name in names.filter(|name| EMPTY.contains(name)) {
                breaches.push(Breach::of_file(&source.path, format!("`{name}` says nothing")));
            }
        }
    }
    breaches
}
