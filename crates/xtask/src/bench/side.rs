//! One of the two that are compared, running.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::api::Api;
use super::cgroup::Cgroup;
use super::ground::Ground;

/// Reserved for documentation: nobody is there.
pub const ADDRESS: &str = "192.0.2.1";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// What starts a side.
pub struct Recipe {
    /// The side's name in the table.
    pub title: &'static str,
    /// Its word in paths.
    pub word: &'static str,
    /// The daemon with its arguments.
    pub daemon: Vec<String>,
    /// The socket that the daemon will listen on.
    pub socket: PathBuf,
    /// What is installed, to be weighed on disk.
    pub programs: Vec<PathBuf>,
    /// What marks the command line of a process that is there once per container.
    pub shim: &'static str,
    pub cgroup: Cgroup,
}

/// One side, running until it is dropped.
pub struct Side {
    pub recipe: Recipe,
    pub api: Api,
    child: Child,
}

impl Side {
    /// Starts the daemon in namespaces of its own, with one address that leads nowhere, and waits until it answers.
    pub fn start(recipe: Recipe, ground: &Ground) -> Result<Self> {
        /// What runs first in the new namespaces: the arguments are the cgroup's file and the daemon.
        const SCRIPT: &str = "set -e; echo $$ > \"$1\"; shift; mount -t tmpfs none /run; ip link set lo up; \
            ip link add host0 type veth peer name void0; ip link set void0 up; ip addr add \"$1/24\" dev host0; ip link set host0 up; shift; exec \"$@\"";
        let log = ground.folder().join(format!("{}.log", recipe.word));
        let out = File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let errors = out.try_clone().context("open the log twice")?;
        let entrance = recipe.cgroup.make()?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--net", "sh", "-c", SCRIPT, "sh"])
            .arg(entrance)
            .arg(ADDRESS)
            .args(&recipe.daemon);
        let child =
            command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn().context("start unshare")?;
        let api = Api::new(recipe.socket.clone());
        let mut side = Self { recipe, api, child };
        side.wait_until_ready().with_context(|| {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = text.lines().rev().take(8).collect();
            format!(
                "start {}; its log ends:\n{}",
                side.recipe.title,
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            )
        })?;
        Ok(side)
    }

    /// Makes a command that runs in the network of this side.
    pub fn beside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.child.id())).arg("--").arg(program);
        command
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.api.ping().is_err() {
            if let Some(status) = self.child.try_wait().context("look after the daemon")? {
                bail!("the daemon ended: {status}");
            }
            if began.elapsed() > PATIENCE {
                bail!("the daemon does not answer after {} s", PATIENCE.as_secs());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Err(error) = self.recipe.cgroup.clear() {
            eprintln!("error: {error:#}");
        }
        let _ended = self.child.wait();
    }
}
