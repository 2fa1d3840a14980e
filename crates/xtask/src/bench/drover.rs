//! Drover: one daemon, one shim per container.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::ground::Ground;
use super::side::{Recipe, Side};

/// Starts the daemon.
pub fn start(ground: &Ground, program: &Path) -> Result<Side> {
    let folder = ground.folder().join("drover");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let socket = folder.join("drover.sock");
    let cgroup = ground.cgroup("drover");
    let flags = [
        ("--data-root", folder.join("data").display().to_string()),
        ("--exec-root", folder.join("run").display().to_string()),
        ("--listen", format!("unix://{}", socket.display())),
        ("--cgroup-parent", cgroup.containers()),
        ("--log-level", "error".to_owned()),
    ];
    let daemon = [program.display().to_string(), "daemon".to_owned()].into_iter();
    let daemon = daemon.chain(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value])).collect();
    let programs = vec![program.to_owned()];
    Side::start(
        Recipe { title: "Drover", word: "drover", daemon, socket, programs, shim: "\0shim\0", cgroup },
        ground,
    )
}
