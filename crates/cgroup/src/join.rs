//! The cgroups of a container, made, limited and joined, with version 1, version 2 or both.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::device::Devices;
use crate::device_filter;
use crate::limits::{Moment, write};
use crate::{Cgroup, Cgroups, Resources};

const ALL_DEVICES: &str = "a *:* rwm";
/// The version 2 controllers that limits need.
const CONTROLLERS: &[&str] = &["cpu", "cpuset", "io", "memory", "pids"];

/// The version 1 cgroups of one container, ready to be joined.
pub struct Joinable(Vec<(PathBuf, File)>);

impl Joinable {
    /// Makes the cgroups of both versions with their limits.
    pub fn make(cgroups: &Cgroups, resources: &Resources, devices: &Devices) -> Result<Joinable, String> {
        let mut joinable = Vec::new();
        for cgroup in cgroups.version_1() {
            make(cgroup.dir)?;
            for controller in cgroup.controllers {
                match controller.as_str() {
                    "cpuset" => {
                        ["cpuset.cpus", "cpuset.mems"].iter().try_for_each(|name| inherit(&cgroup, name))?
                    }
                    "devices" => limit_devices(cgroup.dir, devices)?,
                    _ => {}
                }
            }
            let path = cgroup.dir.join("cgroup.procs");
            let file = open(&path)?;
            joinable.push((path, file));
        }
        if let Some(cgroup) = cgroups.version_2() {
            delegate(&cgroup, resources)?;
            make(cgroup.dir)?;
            if let (Devices::Only(rules), None) = (devices, cgroups.dir("devices")) {
                device_filter::attach(&device_filter::program(rules), cgroup.dir)
                    .map_err(|error| format!("keep devices off {}: {error}", cgroup.dir.display()))?;
            }
        }
        cgroups.limit(resources, Moment::Made)?;
        Ok(Joinable(joinable))
    }

    /// Moves a process and its future children into all of them.
    pub fn join(&mut self, pid: i32) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|(path, file)| put(path, file, &pid.to_string()))
    }
}

/// Moves this process into the cgroups and back when dropped: a namespace of cgroups shows as its top where its maker
/// was.
pub struct Visit(Vec<PathBuf>);

impl Visit {
    /// Moves this process there.
    pub fn begin(joinable: &mut Joinable, cgroups: &Cgroups) -> Result<Visit, String> {
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("read the shim's cgroups: {error}"))?;
        let home = |cgroup: &Cgroup<'_>| {
            let mut rows =
                own.lines().filter_map(|row| row.splitn(3, ':').skip(1).collect::<Vec<_>>().try_into().ok());
            let [_, path] = rows.find(|[names, _]: &[&str; 2]| names.split(',').eq(cgroup.controllers))?;
            Some(cgroup.mount.join(path.trim_start_matches('/')).join("cgroup.procs"))
        };
        let visit = Visit(cgroups.version_1().iter().filter_map(home).collect());
        joinable.join(std::process::id() as i32)?;
        Ok(visit)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        for path in &self.0 {
            // 0 stands for whoever writes.
            if let Err(reason) = write(path, "0") {
                eprintln!("leave the container's cgroups: {reason}");
            }
        }
    }
}

/// Lets the cgroups above hand on the controllers that this container's limits need.
fn delegate(cgroup: &Cgroup<'_>, resources: &Resources) -> Result<(), String> {
    let parent = cgroup.dir.parent().unwrap_or(cgroup.mount);
    make(parent)?;
    let between = parent.ancestors().take_while(|dir| dir.starts_with(cgroup.mount)).collect::<Vec<_>>();
    for dir in between.into_iter().rev() {
        let has = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        let (available, handed_on) = (has("cgroup.controllers"), has("cgroup.subtree_control"));
        let is_in = |list: &str, name: &str| list.split_whitespace().any(|listed| listed == name);
        for name in CONTROLLERS.iter().filter(|name| is_in(&available, name) && !is_in(&handed_on, name)) {
            // Where it cannot be had, the limit that needs it says so.
            if let Err(reason) = write(&dir.join("cgroup.subtree_control"), &format!("+{name}"))
                && *resources != Resources::default()
            {
                eprintln!("{reason}");
            }
        }
    }
    Ok(())
}

fn limit_devices(dir: &Path, devices: &Devices) -> Result<(), String> {
    let allow = dir.join("devices.allow");
    let rules = match devices {
        Devices::All => return write(&allow, ALL_DEVICES),
        Devices::Only(rules) => rules,
    };
    write(&dir.join("devices.deny"), ALL_DEVICES)?;
    let mut file = open(&allow)?;
    rules.iter().try_for_each(|rule| put(&allow, &mut file, &rule.to_string()))
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

fn put(path: &Path, file: &mut File, value: &str) -> Result<(), String> {
    let written: io::Result<()> = file.write_all(value.as_bytes());
    written.map_err(|error| format!("write {value} to {}: {error}", path.display()))
}
