//! Where things are in the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::program;

/// Returns the repository's folder.
pub fn root() -> PathBuf {
    // What cargo says comes first: a build folder that two clones share holds the program of one of them.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&own).ancestors().nth(2).expect("this crate lies two folders below the root").to_owned()
}

/// Returns the folder that cargo builds into, wherever it was told to.
pub fn target_folder() -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let metadata: Value =
        serde_json::from_str(&program::output(&mut cargo)?).context("read what `cargo metadata` printed")?;
    let folder =
        metadata["target_directory"].as_str().context("`cargo metadata` names no target directory")?;
    Ok(folder.into())
}

/// Returns cargo, the one that runs this program, at work on the repository.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}
