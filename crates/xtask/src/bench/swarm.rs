//! Docker Swarm as Debian has it (`docker.io`): dockerd with its containerd, shims and runc.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::ground::Ground;
use super::side::{Recipe, Side};

const DOCKERD: &str = "/usr/sbin/dockerd";
const PROGRAMS: &[&str] = &[
    DOCKERD,
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/sbin/runc",
    "/usr/bin/docker-proxy",
];

/// Starts dockerd; it starts its containerd itself.
pub fn start(ground: &Ground) -> Result<Side> {
    if !PathBuf::from(DOCKERD).exists() {
        bail!("{DOCKERD} is not there: install the package docker.io, or leave it out with --alone");
    }
    let folder = ground.folder().join("swarm");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let at = |name: &str| folder.join(name).display().to_string();
    let config = folder.join("daemon.json");
    // Without a word, dockerd would leave a key in /etc/docker.
    fs::write(&config, json!({ "deprecated-key-path": at("key.json") }).to_string())
        .with_context(|| format!("write {}", config.display()))?;
    let socket = folder.join("docker.sock");
    let cgroup = ground.cgroup("swarm");
    let flags = [
        ("--config-file", config.display().to_string()),
        ("--data-root", at("data")),
        ("--exec-root", at("run")),
        ("--pidfile", at("pid")),
        ("--host", format!("unix://{}", socket.display())),
        ("--exec-opt", "native.cgroupdriver=cgroupfs".to_owned()),
        ("--cgroup-parent", format!("/{}", cgroup.containers())),
        ("--log-level", "error".to_owned()),
    ];
    let daemon = [DOCKERD.to_owned()].into_iter();
    let daemon = daemon.chain(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value])).collect();
    let programs = PROGRAMS.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
    let shim = "containerd-shim";
    Side::start(
        Recipe { title: "Docker Swarm", word: "swarm", daemon, socket, programs, shim, cgroup },
        ground,
    )
}
