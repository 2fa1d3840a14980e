//! The laws of the repository that no compiler checks.
//!
//! A law is a function over the [`Tree`] that returns what breaks it; one file per law, one line in
//! [`LAWS`]. Laws look at code without comments and text literals, and most of them spare tests.

mod borders;
mod crate_length;
mod duplicates;
mod environment;
mod file_length;
mod layers;
mod lib_docs;
mod local_words;
mod names;
mod pure_core;
mod source;
mod tree;
mod unfinished;
mod unsafe_code;
mod unused;
mod versions;
mod worlds;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use tree::Tree;

/// One law.
struct Law {
    /// What it is called in messages.
    name: &'static str,
    /// What it says, and why.
    says: &'static str,
    /// Whether breaking it fails the run or is only told.
    weight: Weight,
    /// Finds what breaks it.
    check: fn(&Tree) -> Vec<Breach>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
}

const LAWS: &[Law] = &[
    pure_core::LAW,
    worlds::LAW,
    layers::LAW,
    borders::LAW,
    environment::LAW,
    unsafe_code::LAW,
    unfinished::LAW,
    lib_docs::LAW,
    names::LAW,
    local_words::LAW,
    file_length::LAW,
    crate_length::LAW,
    versions::LAW,
    duplicates::LAW,
    unused::LAW,
];

/// A place where a law is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Breach {
    file: PathBuf,
    /// Counted from 1; 0 stands for the file as a whole.
    line: usize,
    what: String,
}

impl Breach {
    fn of_file(file: &Path, what: String) -> Self {
        Self { file: file.to_owned(), line: 0, what }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.what),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.what),
        }
    }
}

/// Checks all laws on the repository at `root` and prints what breaks them.
pub fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut errors = 0;
    for law in LAWS {
        let breaches = (law.check)(&tree);
        if breaches.is_empty() {
            continue;
        }
        let word = match law.weight {
            Weight::Error => {
                errors += breaches.len();
                "error"
            }
            Weight::Warning => "warning",
        };
        for breach in breaches {
            println!("{breach} [{word}: {}]", law.name);
        }
        println!("  law `{}`: {}\n", law.name, law.says);
    }
    match errors {
        0 => {
            println!("tidy: {} laws hold for {} crates", LAWS.len(), tree.crates.len());
            Ok(())
        }
        1 => bail!("a law is broken in one place; it is named above"),
        _ => bail!("laws are broken in {errors} places; they are named above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_laws() {
        run(&crate::workspace::root()).unwrap();
    }

    fn check(law: &Law, path: &str, text: &str) -> Vec<Breach> {
        let manifest = |name: &str| format!("[package]\nname = \"{name}\"\n[dependencies]\n");
        let mut files: Vec<(PathBuf, String)> = ["model", "store", "agent", "control", "cli"]
            .into_iter()
            .map(|name| (PathBuf::from(format!("crates/{name}/Cargo.toml")), manifest(name)))
            .collect();
        files.push(("crates/model/src/lib.rs".into(), "//! Words.\n".into()));
        files.push(("Cargo.lock".into(), String::new()));
        files.retain(|(known, _)| known != Path::new(path));
        files.push((path.into(), text.replace("MANIFEST ", &manifest("model"))));
        (law.check)(&Tree::of(files))
    }

    #[test]
    fn every_law_finds_its_breach_and_nothing_else() {
        let long = "fn f() {}\n".repeat(4_001);
        let late = format!("// {} later", unfinished::NOTES[0]);
        let local = format!("see {}x", local_words::WORDS[0]);
        let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\n[[package]]\nname = \"a\"\nversion = \"2\"\n";
        let agent = "[package]\nname = \"agent\"\n[dependencies]\ncontrol.workspace = true\n";
        let cases: &[(Law, &str, &str, usize)] = &[
            (pure_core::LAW, "crates/store/src/a.rs", "//! A.\nuse tokio::sync;\n", 2),
            (pure_core::LAW, "crates/model/Cargo.toml", "MANIFEST tokio.workspace = true", 4),
            (worlds::LAW, "crates/agent/Cargo.toml", agent, 4),
            (layers::LAW, "crates/model/Cargo.toml", "MANIFEST store.workspace = true", 4),
            (borders::LAW, "crates/model/Cargo.toml", "MANIFEST nix.workspace = true", 4),
            (environment::LAW, "crates/agent/src/a.rs", "fn f() {\n    std::env::var(X);\n}\n", 2),
            (unsafe_code::LAW, "crates/agent/src/a.rs", "fn f() {\n    unsafe { g() }\n}\n", 2),
            (unfinished::LAW, "crates/agent/src/a.rs", &late, 1),
            (unfinished::LAW, "crates/agent/tests/a.rs", "#[test]\n#[ignore]\nfn f() {}\n", 2),
            (lib_docs::LAW, "crates/agent/src/lib.rs", "mod a;\n", 1),
            (names::LAW, "crates/agent/src/utils.rs", "", 0),
            (local_words::LAW, "README.md", &local, 1),
            (file_length::LAW, "crates/agent/src/a.rs", &long, 0),
            (crate_length::LAW, "crates/agent/src/a.rs", &long, 0),
            (versions::LAW, "crates/model/Cargo.toml", "MANIFEST a = \"1\"", 4),
            (duplicates::LAW, "Cargo.lock", lock, 0),
            (unused::LAW, "crates/model/Cargo.toml", "MANIFEST a.workspace = true", 4),
        ];

        for (law, path, text, line) in cases {
            let lines: Vec<usize> = check(law, path, text).iter().map(|breach| breach.line).collect();
            assert_eq!(lines, [*line], "law `{}` on {path}", law.name);
        }
        for law in LAWS {
            assert!(cases.iter().any(|(case, ..)| case.name == law.name), "law `{}` has no case", law.name);
            assert_eq!(
                check(law, "crates/model/src/a.rs", "//! \"tokio\".\nfn f() {}\n"),
                [],
                "law `{}`",
                law.name
            );
        }
    }
}
