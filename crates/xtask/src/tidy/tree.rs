//! The repository as the laws see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};

use super::source::Source;

/// The files that are looked at, by what their names end in.
const ENDINGS: &[&str] = &["rs", "toml", "lock", "md", "proto", "service", "json", "sh", "Makefile", "run"];
/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git"];

/// The repository.
pub struct Tree {
    /// All crates, by name.
    pub crates: Vec<Crate>,
    /// Every text file that is not a crate's Rust source, with its text.
    pub texts: Vec<(PathBuf, String)>,
    /// The names and versions in the lock file.
    pub locked: Vec<(String, String)>,
}

/// One crate.
pub struct Crate {
    /// The name in its manifest.
    pub name: String,
    /// Its folder, below the repository.
    pub folder: PathBuf,
    /// Its dependencies.
    pub dependencies: Vec<Dependency>,
    /// Its Rust files.
    pub sources: Vec<Source>,
}

/// One line of a crate's manifest that names a dependency.
pub struct Dependency {
    pub name: String,
    pub kind: Kind,
    /// Whether the version comes from the root manifest.
    pub is_inherited: bool,
    pub line: usize,
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Dev,
    Build,
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        walk(root, root, &mut paths).with_context(|| format!("list {}", root.display()))?;
        paths.sort();
        let mut files = Vec::new();
        for path in paths.into_iter().filter(|path| is_text(path)) {
            let whole = root.join(&path);
            let text = fs::read_to_string(&whole).with_context(|| format!("read {}", whole.display()))?;
            files.push((path, text));
        }
        Ok(Self::of(files))
    }

    /// Builds the repository from its files.
    pub fn of(files: Vec<(PathBuf, String)>) -> Self {
        let (mut sources, texts): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(path, _)| has_ending(path, "rs"));
        let mut crates = Vec::new();
        for (manifest, text) in texts.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            let Some(name) = package_name(text) else { continue };
            let folder = manifest.parent().unwrap_or(Path::new("")).to_owned();
            let (inside, outside) = sources.into_iter().partition(|(path, _)| path.starts_with(&folder));
            sources = outside;
            let mut own: Vec<Source> =
                inside.into_iter().map(|(path, text)| Source::new(path, text)).collect();
            mark_test_modules(&mut own);
            crates.push(Crate { name, dependencies: dependencies(text), folder, sources: own });
        }
        let lock = texts.iter().find(|(path, _)| path == Path::new("Cargo.lock"));
        let locked = lock.map(|(_, text)| locked(text)).unwrap_or_default();
        Self { crates, texts, locked }
    }

    /// Returns the crates that have one of these names.
    pub fn named<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Crate> {
        self.crates.iter().filter(move |each| names.contains(&each.name.as_str()))
    }

    /// Returns whether a name is that of a crate of ours.
    pub fn is_own(&self, name: &str) -> bool {
        self.crates.iter().any(|each| each.name == name)
    }
}

impl Crate {
    /// Returns the path of its manifest.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }
}

fn walk(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        if kind.is_dir() && !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
            walk(root, &path, paths)?;
        } else if kind.is_file() {
            paths.push(path.strip_prefix(root).expect("it was found below the root").to_owned());
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    ENDINGS.iter().any(|ending| has_ending(path, ending))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension == ending)
        || path.file_name().is_some_and(|name| name == ending)
}

/// Files that are only compiled for tests say so where their module is declared.
fn mark_test_modules(sources: &mut [Source]) {
    let declared: Vec<PathBuf> = sources.iter().flat_map(Source::test_modules).collect();
    for source in sources {
        if declared.iter().any(|module| is_of_module(&source.path, module)) {
            source.mark_as_test();
        }
    }
}

fn is_of_module(path: &Path, module: &Path) -> bool {
    path == module || path.with_extension("") == module || path.starts_with(module)
}

fn package_name(manifest: &str) -> Option<String> {
    let (_, package) = manifest.split_once("[package]")?;
    let value = package.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// Reads the tables of dependencies, each entry on one line, as this repository writes them.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut kind = None;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[') {
            kind = match table.trim_end_matches(']') {
                "dependencies" => Some(Kind::Normal),
                "dev-dependencies" => Some(Kind::Dev),
                "build-dependencies" => Some(Kind::Build),
                _other => None,
            };
            continue;
        }
        let (Some(kind), Some((key, value))) = (kind, line.split_once('=')) else { continue };
        let key = key.trim();
        let name = key.strip_suffix(".workspace").unwrap_or(key).to_owned();
        let is_inherited = key.ends_with(".workspace") || value.contains("workspace = true");
        found.push(Dependency { name, kind, is_inherited, line: index + 1 });
    }
    found
}

fn locked(text: &str) -> Vec<(String, String)> {
    let mut by_package: BTreeMap<(String, String), ()> = BTreeMap::new();
    let value = |line: Option<&str>, key: &str| {
        line.and_then(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"').to_owned())
    };
    for package in text.split("[[package]]").skip(1) {
        let mut lines = package.trim_start().lines();
        let (name, version) = (value(lines.next(), "name = "), value(lines.next(), "version = "));
        if let (Some(name), Some(version)) = (name, version) {
            by_package.insert((name, version), ());
        }
    }
    by_package.into_keys().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_with_their_kind() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n\
                        [dev-dependencies]\nc = { workspace = true, features = [] }\n[lib]\nbench = false\n";

        let found: Vec<(String, Kind, bool, usize)> = dependencies(manifest)
            .into_iter()
            .map(|each| (each.name, each.kind, each.is_inherited, each.line))
            .collect();

        let expected =
            [("a", Kind::Normal, true, 4), ("b", Kind::Normal, false, 5), ("c", Kind::Dev, true, 7)];
        assert_eq!(
            found,
            expected.map(|(name, kind, inherited, line)| (name.to_owned(), kind, inherited, line))
        );
    }

    #[test]
    fn a_package_is_read_from_the_lock_file() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"x\"\n";

        assert_eq!(locked(text), [("a".to_owned(), "1.2.3".to_owned())]);
    }
}
