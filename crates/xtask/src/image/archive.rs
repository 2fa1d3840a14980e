//! Writes an image as `docker save` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::recipe::Recipe;
use crate::program;

/// Writes the archive of an image with these layers, lowest first, whole or not at all.
pub fn write(recipe: &Recipe, layers: &[PathBuf], scratch: &Path, path: &Path) -> Result<()> {
    let folder = scratch.join("archive");
    fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut names = Vec::new();
    let mut ids = Vec::new();
    for layer in layers {
        let id = pack(layer, &folder)?;
        names.push(format!("{id}.tar"));
        ids.push(format!("sha256:{id}"));
    }
    let history: Vec<_> =
        layers.iter().map(|_| json!({"created": created(), "created_by": "cargo xtask image"})).collect();
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "created": created(),
        "config": recipe.config,
        "rootfs": {"type": "layers", "diff_ids": ids},
        "history": history,
    });
    fs::write(folder.join("config.json"), config.to_string()).context("write the configuration")?;
    let config = format!("{}.json", hash(&folder.join("config.json"))?);
    fs::rename(folder.join("config.json"), folder.join(&config)).context("name the configuration")?;
    let manifest =
        json!([{"Config": config, "RepoTags": [format!("{}:latest", recipe.name)], "Layers": names}]);
    fs::write(folder.join("manifest.json"), manifest.to_string()).context("write the manifest")?;
    let whole = scratch.join("image.tar");
    program::output(Command::new("tar").arg("-C").arg(&folder).arg("-cf").arg(&whole).arg("."))?;
    fs::rename(&whole, path).with_context(|| format!("write {}", path.display()))
}

/// Packs a layer and returns its hash, which is its name.
fn pack(layer: &Path, folder: &Path) -> Result<String> {
    let tar = folder.join("layer.tar");
    let mut pack = Command::new("tar");
    pack.args(["--numeric-owner", "--sort=name", "-C"]).arg(layer).arg("-cf").arg(&tar).arg(".");
    program::output(&mut pack)?;
    let id = hash(&tar)?;
    fs::rename(&tar, folder.join(format!("{id}.tar"))).context("name the layer")?;
    Ok(id)
}

fn hash(path: &Path) -> Result<String> {
    let text = program::output(Command::new("sha256sum").arg(path))?;
    Ok(text.split_whitespace().next().context("sha256sum prints a hash")?.to_owned())
}

/// Returns the time that all images say they were made: builds of one recipe shall differ in their packages alone.
fn created() -> &'static str {
    "2025-01-01T00:00:00Z"
}

/// Returns the processor in Go's words, as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
