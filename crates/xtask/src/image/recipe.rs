//! What an image is made from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{program, workspace};

/// One folder of `tests/images`.
pub struct Recipe {
    pub name: String,
    pub folder: PathBuf,
    /// Whether it stands on Debian's base.
    pub has_base: bool,
    /// Debian's packages to install.
    pub packages: Vec<String>,
    /// The image's configuration, as in its JSON.
    pub config: Value,
    /// Names all that the recipe says.
    pub digest: String,
}

/// Returns the folder of all recipes.
pub fn folder() -> PathBuf {
    workspace::root().join("tests/images")
}

/// Lists all recipes by name.
pub fn all() -> Result<Vec<String>> {
    let folder = folder();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        if entry.path().join("recipe.json").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Recipe {
    /// Reads a recipe.
    pub fn read(name: &str) -> Result<Self> {
        let folder = folder().join(name);
        let path = folder.join("recipe.json");
        if !path.exists() {
            bail!("there is no recipe {name}; there are {}", all()?.join(", "));
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let value: Value = serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        let missing = |key: &str| format!("{} has no {key:?}", path.display());
        let has_base = value["base"].as_bool().with_context(|| missing("base"))?;
        let packages = value["packages"].as_array().with_context(|| missing("packages"))?;
        let packages = packages.iter().filter_map(|package| package.as_str().map(str::to_owned)).collect();
        let config = value["config"].clone();
        let digest = digest(&folder)?;
        Ok(Self { name: name.to_owned(), folder, has_base, packages, config, digest })
    }
}

/// Hashes what a recipe's files hold, with their names and rights, and the script that all share.
fn digest(recipe: &Path) -> Result<String> {
    let mut list = Command::new("sh");
    let script =
        "tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c \"$0\" layer.sh | sha256sum";
    let name = recipe.file_name().context("a recipe's folder has a name")?;
    list.args(["-c", script]).arg(name).current_dir(folder());
    program::output(&mut list)
}
