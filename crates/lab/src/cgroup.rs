//! Finding, freezing and killing the processes of a host through its cgroups.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::process::until;

/// On a hierarchy with controllers, only cgroups without children may hold processes.
const LEAF: &str = "host";
const PATIENCE: Duration = Duration::from_secs(10);

/// The mounted cgroup hierarchies.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchies {
    unified: PathBuf,
    legacy: Vec<PathBuf>,
}

impl Hierarchies {
    /// Finds where the hierarchies are mounted.
    pub(crate) fn find() -> Result<Self> {
        let path = Path::new("/proc/self/mounts");
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let (mut unified, mut legacy) = (None, BTreeSet::new());
        for line in text.lines() {
            let mut fields = line.split(' ');
            let (Some(_), Some(target), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            match kind {
                "cgroup2" => unified = unified.or(Some(PathBuf::from(target))),
                "cgroup" => drop(legacy.insert(PathBuf::from(target))),
                _ => {}
            }
        }
        Ok(Self { unified: unified.ok_or(Error::NoCgroup2)?, legacy: legacy.into_iter().collect() })
    }

    /// Checks that no hierarchy has a cgroup of that name: its processes would be taken for ours.
    pub(crate) fn check_free(&self, cgroup: &str) -> Result<()> {
        match self.roots().map(|root| root.join(cgroup)).find(|folder| folder.exists()) {
            Some(folder) => Err(Error::Taken { folder }),
            None => Ok(()),
        }
    }

    /// Makes a host's cgroup.
    pub(crate) fn make(&self, cgroup: &str) -> Result<()> {
        let folder = self.unified.join(cgroup);
        fs::create_dir(&folder).map_err(Error::file("make cgroup", &folder))?;
        let leaf = folder.join(LEAF);
        fs::create_dir(&leaf).map_err(Error::file("make cgroup", &leaf))
    }

    /// Opens the file through which a process that writes `0` becomes one of the host's.
    pub(crate) fn entrance(&self, cgroup: &str) -> Result<File> {
        let path = self.unified.join(cgroup).join(LEAF).join("cgroup.procs");
        OpenOptions::new().write(true).open(&path).map_err(Error::file("open", &path))
    }

    /// Freezes or thaws all processes of a host and waits until they are.
    pub(crate) fn set_frozen(&self, cgroup: &str, frozen: bool) -> Result<()> {
        let folder = self.unified.join(cgroup);
        let digit = if frozen { "1" } else { "0" };
        write(&folder.join("cgroup.freeze"), digit)?;
        let line = format!("frozen {digit}");
        until(PATIENCE, &format!("cgroup {cgroup} to become {line}"), || event(&folder, &line).then_some(()))
    }

    /// Tells whether a host's processes are frozen.
    pub(crate) fn is_frozen(&self, cgroup: &str) -> bool {
        fs::read_to_string(self.unified.join(cgroup).join("cgroup.freeze"))
            .is_ok_and(|text| text.trim() == "1")
    }

    /// Kills every process of a host, in all hierarchies, and waits until none is left.
    pub(crate) fn kill(&self, cgroup: &str) -> Result<()> {
        let folder = self.unified.join(cgroup);
        if folder.exists() {
            write(&folder.join("cgroup.kill"), "1")?;
        }
        until(PATIENCE, &format!("the processes in cgroup {cgroup} to end"), || {
            let rest = self.processes(cgroup);
            for pid in &rest {
                // It may have ended since it was listed.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            rest.is_empty().then_some(())
        })
    }

    /// Removes a host's cgroups in all hierarchies; nothing being there is fine.
    pub(crate) fn remove(&self, cgroup: &str) -> Vec<Error> {
        let folders = self.roots().map(|root| root.join(cgroup));
        folders.filter_map(|folder| remove_tree(&folder).err()).collect()
    }

    /// Returns every process in a host's cgroups.
    fn processes(&self, cgroup: &str) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        self.roots().for_each(|root| collect(&root.join(cgroup), &mut found));
        found
    }

    fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.unified).chain(&self.legacy)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    // Opening without the create flag: a missing control file must not become a regular one.
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(Error::file("write", path))
}

fn event(folder: &Path, line: &str) -> bool {
    fs::read_to_string(folder.join("cgroup.events")).is_ok_and(|text| text.lines().any(|one| one == line))
}

fn collect(folder: &Path, found: &mut BTreeSet<i32>) {
    // A cgroup can vanish while it is walked, with the last of its processes.
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    children(folder).iter().for_each(|child| collect(child, found));
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Removes a cgroup and those below it; the kernel needs a moment after their last process.
fn remove_tree(folder: &Path) -> Result<()> {
    for child in children(folder) {
        remove_tree(&child)?;
    }
    let mut last = None;
    let removed = until(PATIENCE, "", || match fs::remove_dir(folder) {
        Ok(()) => Some(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(()),
        Err(error) => {
            last = Some(error);
            None
        }
    });
    match (removed, last) {
        (Err(_), Some(error)) => Err(Error::file("remove cgroup", folder)(error)),
        (result, _) => result,
    }
}
