//! Pulls an image from a registry that runs beside the daemon.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::side::Side;
use super::runs::{Client, median};
use crate::program;

/// Inside the network of one side, where nothing else listens.
const ADDRESS: &str = "127.0.0.1:5000";
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns how long a client takes to pull the image of an archive that it does not have.
pub fn measure(side: &Side, client: &Client, archive: &Path, rounds: usize) -> Result<Duration> {
    let registry = Registry::start(side)?;
    let name = format!("{ADDRESS}/pulled");
    registry.push(side, archive, &name)?;
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        let began = Instant::now();
        program::output(&mut client.command(&["pull", "-q", &name]))?;
        times.push(began.elapsed());
        program::output(&mut client.command(&["rmi", &name]))?;
    }
    median(times)
}

/// Debian's registry, until it is dropped.
struct Registry(Child);

impl Registry {
    fn start(side: &Side) -> Result<Self> {
        let folder = side.recipe.socket.parent().context("a socket lies in a folder")?.join("registry");
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let config = folder.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {ADDRESS}\n",
            folder.join("data").display()
        );
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let mut serve = side.beside("docker-registry");
        serve.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(serve.spawn().context("start docker-registry")?))
    }

    /// Pushes an archive's image, as soon as the registry answers.
    fn push(&self, side: &Side, archive: &Path, name: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let mut copy = side.beside("skopeo");
            copy.args(["copy", "--quiet", "--dest-tls-verify=false"]);
            copy.arg(format!("docker-archive:{}", archive.display())).arg(format!("docker://{name}"));
            match program::output(&mut copy) {
                Ok(_) => return Ok(()),
                Err(error) if began.elapsed() > PATIENCE => bail!(error.context("fill the registry")),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
