//! A container's cgroups in every hierarchy of this host, version 1 and 2: find, kill, empty, remove.
//!
//! Whoever made them need not live for them to be taken away.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Pidfd;

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    /// The controllers named in a version 1 mount; none in version 2.
    controllers: Vec<String>,
}

/// A container's cgroup in one hierarchy.
#[derive(Clone, Copy, Debug)]
pub struct Cgroup<'a> {
    /// Where the hierarchy is mounted.
    pub mount: &'a Path,
    /// The version 1 controllers; none in version 2.
    pub controllers: &'a [String],
    /// The cgroup; it may not exist.
    pub dir: &'a Path,
}

/// The version 1 controllers a container gets cgroups for.
const MANAGED: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "hugetlb",
    "memory",
    "pids",
    "perf_event",
    "blkio",
    "net_prio",
    "net_cls",
    "freezer",
];

/// Room for the mount table of a host with a hundred mounts.
const TABLE_BYTES: usize = 16 * 1024;

/// The cgroups of one container.
#[derive(Clone, Debug)]
pub struct Cgroups {
    /// One directory per hierarchy; it may not exist.
    dirs: Vec<(Hierarchy, PathBuf)>,
}

impl Cgroups {
    /// Looks up where the container's cgroups are on this host.
    pub fn find(path: &Path) -> io::Result<Cgroups> {
        // A table of usual size is read at once.
        let mut table = String::with_capacity(TABLE_BYTES);
        fs::File::open("/proc/self/mountinfo")?.read_to_string(&mut table)?;
        let below = path.strip_prefix("/").unwrap_or(path);
        let dirs = hierarchies(&table).into_iter().map(|h| (h.clone(), h.mount.join(below))).collect();
        Ok(Cgroups { dirs })
    }

    /// Lists the version 1 cgroups; none on a host with version 2 alone.
    pub fn version_1(&self) -> Vec<Cgroup<'_>> {
        let is_managed =
            |cgroup: &Cgroup<'_>| cgroup.controllers.iter().any(|name| MANAGED.contains(&name.as_str()));
        self.all().filter(is_managed).collect()
    }

    /// Returns the version 2 cgroup; none on a host with version 1 alone.
    pub fn version_2(&self) -> Option<Cgroup<'_>> {
        self.all().find(|cgroup| cgroup.controllers.is_empty())
    }

    /// Returns the cgroup of a version 1 controller; none if it is of version 2 or not there.
    pub fn dir(&self, controller: &str) -> Option<&Path> {
        let has =
            |(hierarchy, _): &&(Hierarchy, PathBuf)| hierarchy.controllers.iter().any(|n| n == controller);
        self.dirs.iter().find(has).map(|(_, dir)| dir.as_path())
    }

    /// Returns the version 2 cgroup; none on a host with version 1 alone.
    pub fn unified_dir(&self) -> Option<&Path> {
        self.version_2().map(|cgroup| cgroup.dir)
    }

    /// Returns whether they are there: they are from when a container is made ready until it has ended.
    pub fn exist(&self) -> bool {
        self.dirs.iter().any(|(_, dir)| dir.exists())
    }

    /// Lists the processes in them, by number.
    pub fn processes(&self) -> Vec<i32> {
        let known = self.unified_dir().into_iter().chain(self.dir("pids")).chain(self.dir("memory"));
        let mut found = known.map(processes).find(|pids| !pids.is_empty()).unwrap_or_default();
        found.sort_unstable();
        found
    }

    fn all(&self) -> impl Iterator<Item = Cgroup<'_>> {
        self.dirs.iter().map(|(hierarchy, dir)| {
            let Hierarchy { mount, controllers } = hierarchy;
            Cgroup { mount, controllers, dir }
        })
    }

    /// Returns whether the kernel killed a process here for want of memory.
    pub fn oom_killed(&self) -> bool {
        self.dirs.iter().any(|(hierarchy, dir)| {
            let file = match hierarchy.controllers.as_slice() {
                [] => "memory.events",
                names if names.iter().any(|name| name == "memory") => "memory.oom_control",
                _ => return false,
            };
            fs::read_to_string(dir.join(file)).is_ok_and(|text| oom_kills(&text) > 0)
        })
    }

    /// Kills every process in them, frozen ones too, and waits until none is left.
    pub fn kill(&self, deadline: Duration) -> io::Result<()> {
        let end = Instant::now() + deadline;
        if self.is_frozen() {
            self.thaw()?;
        }
        for (_, dir) in &self.dirs {
            loop {
                let pids = processes(dir);
                if pids.is_empty() {
                    break;
                }
                if Instant::now() >= end {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("{pids:?} in {dir:?} live on"),
                    ));
                }
                kill_all(&pids, end)?;
            }
        }
        Ok(())
    }

    /// Removes them; fine if they are gone.
    pub fn remove(&self) -> io::Result<()> {
        let mut first = None;
        for (_, dir) in &self.dirs {
            if let Err(error) = remove_tree(dir) {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}

fn kill_all(pids: &[i32], end: Instant) -> io::Result<()> {
    // The descriptors are opened first: a number cannot change its owner between kill and wait.
    let open: Vec<Pidfd> = pids.iter().filter_map(|pid| Pidfd::open(*pid).ok()).collect();
    for process in &open {
        match process.signal(libc::SIGKILL) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    for process in &open {
        process.wait_ended(end.saturating_duration_since(Instant::now()))?;
    }
    Ok(())
}

fn processes(dir: &Path) -> Vec<i32> {
    let mut found: Vec<i32> = fs::read_to_string(dir.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid != 0)
        .collect();
    for child in children(dir) {
        found.extend(processes(&child));
    }
    found
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    for child in children(dir) {
        remove_tree(&child)?;
    }
    fs::remove_dir(dir)
}

/// Reads the hierarchies out of a mountinfo table; the first mount of each counts.
fn hierarchies(table: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in table.lines() {
        let Some((front, back)) = line.split_once(" - ") else { continue };
        let front: Vec<&str> = front.split(' ').collect();
        let back: Vec<&str> = back.split(' ').collect();
        let ([_, _, _, root, mount, ..], [kind, _, options, ..]) = (front.as_slice(), back.as_slice()) else {
            continue;
        };
        let controllers = match *kind {
            "cgroup2" => Vec::new(),
            "cgroup" => {
                options.split(',').filter(|o| !matches!(*o, "rw" | "ro")).map(str::to_owned).collect()
            }
            _ => continue,
        };
        // A mount of a part (root other than "/") shows another path than the one to remove.
        if *root == "/" && !found.iter().any(|h| h.controllers == controllers) {
            found.push(Hierarchy { mount: PathBuf::from(*mount), controllers });
        }
    }
    found
}

/// Reads the `oom_kill` count, which both versions name alike.
fn oom_kills(text: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.strip_prefix("oom_kill "))
        .filter_map(|count| count.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found_once() {
        let table = "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
            32 30 0:28 /inner /mnt/part rw - cgroup cgroup rw,memory\n\
            33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            34 30 0:29 / /other rw - cgroup2 cgroup2 rw\n";

        let found: Vec<PathBuf> = hierarchies(table).into_iter().map(|h| h.mount).collect();

        assert_eq!(found, [PathBuf::from("/sys/fs/cgroup/cpu"), PathBuf::from("/sys/fs/cgroup/unified")]);
    }

    #[test]
    fn oom_kills_are_counted_in_both_versions() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(oom_kills("low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("oom_kill 0\n"), 0);
    }
}
