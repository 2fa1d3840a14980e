//! One cgroup per side: it counts the CPU time, and tells which processes belong to the side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const MOUNT: &str = "/sys/fs/cgroup";
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// The cgroup of one side: `daemon` below it holds the daemons, `containers` the containers.
#[derive(Debug, Clone)]
pub struct Cgroup {
    name: String,
}

impl Cgroup {
    /// Names a cgroup.
    pub fn new(name: String) -> Self {
        Self { name }
    }

    /// Makes the cgroup, and returns the file that takes a daemon in.
    pub fn make(&self) -> Result<PathBuf> {
        let daemon = self.counting().join("daemon");
        fs::create_dir_all(&daemon).with_context(|| format!("make cgroup {}", daemon.display()))?;
        Ok(daemon.join("cgroup.procs"))
    }

    /// Returns the parent for containers, relative to each hierarchy's root.
    pub fn containers(&self) -> String {
        format!("{}/containers", self.name)
    }

    /// Returns the CPU time of everything that was ever in it.
    pub fn cpu(&self) -> Result<Duration> {
        let folder = self.counting();
        if let Ok(text) = fs::read_to_string(folder.join("cpuacct.usage")) {
            return Ok(Duration::from_nanos(text.trim().parse().context("read cpuacct.usage")?));
        }
        let path = folder.join("cpu.stat");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        Ok(Duration::from_micros(usage.context("cpu.stat has no usage_usec")?.parse()?))
    }

    /// Returns the processes in it and below.
    pub fn processes(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for folder in self.everywhere().iter().flat_map(|folder| below(folder)) {
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Kills what is in it and removes it from every hierarchy.
    pub fn clear(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let pids = self.processes();
            if pids.is_empty() {
                break;
            }
            if began.elapsed() > PATIENCE {
                bail!("processes {pids:?} of cgroup {} do not end", self.name);
            }
            // One that ended meanwhile is as good as killed.
            let _status = Command::new("kill").arg("-KILL").args(pids.iter().map(u32::to_string)).output();
            thread::sleep(PAUSE);
        }
        for folder in self.everywhere().iter().flat_map(|folder| below(folder)) {
            // A cgroup is busy for a moment after its last process.
            while fs::remove_dir(&folder).is_err() && folder.exists() {
                if began.elapsed() > PATIENCE {
                    bail!("cgroup {} cannot be removed", folder.display());
                }
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Returns the folder whose CPU time is read.
    fn counting(&self) -> PathBuf {
        let v1 = Path::new(MOUNT).join("cpuacct");
        let root = if v1.is_dir() { v1 } else { PathBuf::from(MOUNT) };
        root.join(&self.name)
    }

    /// Returns its folders in all hierarchies.
    fn everywhere(&self) -> Vec<PathBuf> {
        let roots = fs::read_dir(MOUNT).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = roots.chain([PathBuf::from(MOUNT)]).map(|root| root.join(&self.name));
        folders.filter(|folder| folder.is_dir()).collect()
    }
}

/// Returns a folder and all below it, deepest first.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        folders.extend(below(&entry.path()));
    }
    folders.push(folder.to_owned());
    folders
}
