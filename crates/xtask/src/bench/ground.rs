//! The folder and the cgroup that the benchmark works in, and clearing both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::cgroup::Cgroup;
use crate::program;

/// On disk and not in memory, where overlayfs and the log's syncs cost what they cost elsewhere.
const BASE: &str = "/var/tmp";

/// The image's name on both sides.
pub const IMAGE: &str = "bench/whoami:latest";

/// The folder and the cgroup that the benchmark works in.
#[derive(Debug, Clone)]
pub struct Ground {
    folder: PathBuf,
}

impl Ground {
    /// Makes a ground of its own for this process.
    pub fn new() -> Result<Self> {
        let ground = Self::at(Path::new(BASE).join(format!("drover-bench-{}", std::process::id())));
        fs::create_dir_all(&ground.folder).with_context(|| format!("make {}", ground.folder.display()))?;
        Ok(ground)
    }

    /// Works in a folder that is there.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the cgroup of one side.
    pub fn cgroup(&self, side: &str) -> Cgroup {
        let name =
            self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Cgroup::new(format!("{name}-{side}"))
    }

    /// Returns an image of one file, the binary, as `docker save` writes it.
    pub fn image(&self, drover: &Path) -> Result<Vec<u8>> {
        let folder = self.folder.join("image");
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        fs::copy(drover, folder.join("drover")).with_context(|| format!("copy {}", drover.display()))?;
        tar(&folder, "layer.tar", &["drover"])?;
        let sum = program::output(Command::new("sha256sum").arg(folder.join("layer.tar")))?;
        let digest = sum.split(' ').next().unwrap_or_default();
        let config = json!({
            "architecture": if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Entrypoint": ["/drover", "whoami"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        let manifest = json!([{ "Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]);
        for (name, content) in [("config.json", config), ("manifest.json", manifest)] {
            let path = folder.join(name);
            fs::write(&path, content.to_string()).with_context(|| format!("write {}", path.display()))?;
        }
        tar(&folder, "image.tar", &["manifest.json", "config.json", "layer.tar"])?;
        let archive = folder.join("image.tar");
        fs::read(&archive).with_context(|| format!("read {}", archive.display()))
    }

    /// Ends every process, and removes cgroups and folder; what a side mounted went with its namespaces.
    pub fn clear(&self) -> Result<()> {
        for side in ["swarm", "drover"] {
            self.cgroup(side).clear()?;
        }
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.folder.display()))
            }
            _gone => Ok(()),
        }
    }
}

fn tar(folder: &Path, archive: &str, files: &[&str]) -> Result<()> {
    program::output(
        Command::new("tar").arg("-C").arg(folder).args(["-cf", archive]).args(files).current_dir(folder),
    )
    .map(drop)
}
