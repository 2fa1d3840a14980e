//! The cgroups of a host that mounts version 1 and version 2 side by side: made, limited and joined by the shim.
//!
//! libcontainer would read the whole mount table for each of twelve controllers. Shown the version 2 hierarchy as
//! if it were the only one, it joins that and leaves the rest to this file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::cgroup::{Cgroup, Cgroups};
use crate::oci::{PERIOD_US, quota_us};
use crate::{Resources, Spec};

/// Where libcontainer looks for the hierarchies.
const ROOT: &str = "/sys/fs/cgroup";

/// What a container may do with devices beyond what its root holds: make any node, use the harmless ones.
const DEVICES: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 10:200 rwm",
    "c 136:* rwm",
];
const ALL_DEVICES: &str = "a *:* rwm";

/// Lays the version 2 hierarchy over all others, in this mount namespace, until it is dropped.
pub(crate) struct Cover(());

impl Drop for Cover {
    fn drop(&mut self) {
        if let Err(errno) = umount2(ROOT, MntFlags::MNT_DETACH) {
            eprintln!("uncover {ROOT}: {errno}");
        }
    }
}

/// Returns whether this host is one this file is for.
pub(crate) fn is_hybrid(cgroups: &Cgroups) -> bool {
    let version_2 = cgroups.version_2().is_some_and(|cgroup| cgroup.mount.parent() == Some(Path::new(ROOT)));
    version_2 && !cgroups.version_1().is_empty()
}

/// Hides the version 1 hierarchies from libcontainer.
pub(crate) fn cover(cgroups: &Cgroups) -> Result<Option<Cover>, String> {
    let Some(unified) = cgroups.version_2().filter(|_| is_hybrid(cgroups)) else { return Ok(None) };
    // It joins a cgroup that is there; making one itself, it would delegate controllers it never limits.
    make(unified.dir)?;
    mount(Some(unified.mount), ROOT, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| format!("mount {} onto {ROOT}: {errno}", unified.mount.display()))?;
    Ok(Some(Cover(())))
}

/// The version 1 cgroups of one container, ready to be joined.
pub(crate) struct Joinable(Vec<(PathBuf, File)>);

impl Joinable {
    /// Makes the cgroups with their limits.
    pub(crate) fn make(cgroups: &Cgroups, spec: &Spec) -> Result<Joinable, String> {
        let mut joinable = Vec::new();
        for cgroup in cgroups.version_1() {
            make(cgroup.dir)?;
            for controller in cgroup.controllers {
                limit(controller, &cgroup, spec)?;
            }
            let path = cgroup.dir.join("cgroup.procs");
            let file = open(&path)?;
            joinable.push((path, file));
        }
        Ok(Joinable(joinable))
    }

    /// Moves a process and its future children into all of them.
    pub(crate) fn join(self, pid: i32) -> Result<(), String> {
        for (path, mut file) in self.0 {
            put(&path, &mut file, &pid.to_string())?;
        }
        Ok(())
    }
}

fn limit(controller: &str, cgroup: &Cgroup<'_>, spec: &Spec) -> Result<(), String> {
    let Resources { memory_bytes, memory_reservation_bytes, nano_cpus, cpu_shares, cpuset_cpus, pids } =
        &spec.resources;
    let set = |name: &str, value: Option<u64>| match value {
        Some(value) => write(&cgroup.dir.join(name), &value.to_string()),
        None => Ok(()),
    };
    match controller {
        "cpu" => {
            set("cpu.shares", cpu_shares.filter(|shares| *shares != 0))?;
            set("cpu.cfs_period_us", nano_cpus.map(|_| PERIOD_US))?;
            set("cpu.cfs_quota_us", nano_cpus.map(quota_us))
        }
        "cpuset" => {
            inherit(cgroup, "cpuset.cpus")?;
            inherit(cgroup, "cpuset.mems")?;
            match cpuset_cpus {
                Some(cpus) => write(&cgroup.dir.join("cpuset.cpus"), cpus),
                None => Ok(()),
            }
        }
        "memory" => {
            set("memory.limit_in_bytes", memory_bytes.filter(|bytes| *bytes != 0))?;
            set("memory.soft_limit_in_bytes", memory_reservation_bytes.filter(|bytes| *bytes != 0))
        }
        "pids" => set("pids.max", *pids),
        "devices" => limit_devices(cgroup.dir, spec.privileged),
        _ => Ok(()),
    }
}

fn limit_devices(dir: &Path, privileged: bool) -> Result<(), String> {
    let allow = dir.join("devices.allow");
    if privileged {
        return write(&allow, ALL_DEVICES);
    }
    write(&dir.join("devices.deny"), ALL_DEVICES)?;
    let mut file = open(&allow)?;
    DEVICES.iter().try_for_each(|rule| put(&allow, &mut file, rule))
}

/// A cgroup without CPUs or memory nodes of its own takes no process: it gets its parent's.
fn inherit(cgroup: &Cgroup<'_>, name: &str) -> Result<(), String> {
    let read = |dir: &Path| {
        let path = dir.join(name);
        fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))
    };
    if !read(cgroup.dir)?.trim().is_empty() {
        return Ok(());
    }
    let between = cgroup.dir.ancestors().take_while(|dir| *dir != cgroup.mount).collect::<Vec<_>>();
    for dir in between.into_iter().rev() {
        if read(dir)?.trim().is_empty() {
            let parent = read(dir.parent().unwrap_or(cgroup.mount))?;
            write(&dir.join(name), parent.trim())?;
        }
    }
    Ok(())
}

fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("make cgroup {}: {error}", dir.display()))
}

fn open(path: &Path) -> Result<File, String> {
    OpenOptions::new().write(true).open(path).map_err(|error| format!("open {}: {error}", path.display()))
}

fn write(path: &Path, value: &str) -> Result<(), String> {
    put(path, &mut open(path)?, value)
}

fn put(path: &Path, file: &mut File, value: &str) -> Result<(), String> {
    let written: io::Result<()> = file.write_all(value.as_bytes());
    written.map_err(|error| format!("write {value} to {}: {error}", path.display()))
}
