//! Every crate says what it is.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "crate docs",
    says: "every lib.rs and main.rs opens with what the crate does, its main types, and what it never does, \
           in at most twenty-five lines",
    weight: Weight::Error,
    check,
};

const LINES_MAX: usize = 25;

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for each in &tree.crates {
        let roots = ["src/lib.rs", "src/main.rs"].map(|root| each.folder.join(root));
        for source in each.sources.iter().filter(|source| roots.contains(&source.path)) {
            match source.text.lines().take_while(|line| line.starts_with("//!")).count() {
                0 => breaches.push(Breach {
                    file: source.path.clone(),
                    line: 1,
                    what: "no `//!` at the top".into(),
                }),
                lines if lines > LINES_MAX => {
                    let what = format!("{lines} lines of docs at the top");
                    breaches.push(Breach { file: source.path.clone(), line: lines, what });
                }
                _few => {}
            }
        }
    }
    breaches
}
