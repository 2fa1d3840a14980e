//! What every container finds mounted, where that needs none of the container's own namespaces but the network's.
//!
//! libcontainer would mount these too, at some ninety system calls each. They are placed below the root before it
//! starts, and come along when it binds the root. `/proc` and `/dev/mqueue` belong to namespaces it makes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};

use crate::Spec;
use crate::cgroup::{Cgroup, Cgroups};
use crate::kernel::open_in_root;
use crate::oci::Placed;
use crate::root::make_dir;

const SHM_BYTES: u64 = 64 << 20;
const CGROUP: &str = "/sys/fs/cgroup";

/// Mounts Docker's defaults and the small files; returns the files that are left to libcontainer.
pub(crate) fn place<'a>(
    root: &File,
    spec: &'a Spec,
    cgroups: &Cgroups,
    files: &[PathBuf],
) -> Result<Vec<Placed<'a>>, String> {
    let own = |target: &str| spec.mounts.iter().any(|mount| mount.target == Path::new(target));
    let shm = format!("mode=1777,size={SHM_BYTES}");
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    if !own("/dev") {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME;
        at(root, "/dev", |target| fresh("tmpfs", target, flags, "mode=755,size=65536k"))?;
    }
    if !own("/dev/pts") {
        let options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
        at(root, "/dev/pts", |target| fresh("devpts", target, safe, options))?;
    }
    if !own("/dev/shm") {
        at(root, "/dev/shm", |target| fresh("tmpfs", target, safe | MsFlags::MS_NODEV, &shm))?;
    }
    if !own("/sys") {
        place_sys(root, spec, cgroups)?;
    }
    let mut left = Vec::new();
    for (file, source) in spec.files.iter().zip(files) {
        // Only where the image has such a file: making one takes libcontainer's care with links.
        let is_there = open_in_root(root, &file.target, libc::O_PATH).is_ok();
        if is_there {
            bind(root, &file.target, source, access(file.read_only))?;
        } else {
            left.push((file, source.clone()));
        }
    }
    Ok(left)
}

/// `/sys` shows the network namespace of whoever mounts it.
fn place_sys(root: &File, spec: &Spec, cgroups: &Cgroups) -> Result<(), String> {
    let guarded = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    let flags = guarded | access(!spec.privileged);
    inside_network(spec.network_namespace.as_deref(), || {
        at(root, "/sys", |target| fresh("sysfs", target, flags, ""))
    })?;
    let shown = cgroups.version_1();
    if shown.is_empty() || spec.mounts.iter().any(|mount| mount.target == Path::new(CGROUP)) {
        return Ok(());
    }
    at(root, CGROUP, |target| fresh("tmpfs", target, guarded, "mode=755"))?;
    let top = open_in_root(root, Path::new(CGROUP), libc::O_PATH)
        .map_err(|error| format!("open {CGROUP} of the container: {error}"))?;
    for Cgroup { mount, dir, .. } in shown {
        // Whoever makes the same directory later does not mind finding it made.
        fs::create_dir_all(dir).map_err(|error| format!("make cgroup {}: {error}", dir.display()))?;
        let Some(name) = mount.file_name() else { continue };
        bind(&top, Path::new(name), dir, flags)?;
    }
    at(root, CGROUP, |target| remount(target, flags))
}

fn access(read_only: bool) -> MsFlags {
    if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() }
}

fn bind(root: &File, target: &Path, source: &Path, flags: MsFlags) -> Result<(), String> {
    at(root, target, |target| mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>))?;
    // The mount is on top of what was opened, so the path is opened again.
    if flags.is_empty() { Ok(()) } else { at(root, target, |target| remount(target, flags)) }
}

fn remount(target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, target, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, None::<&str>)
}

fn fresh(kind: &str, target: &Path, flags: MsFlags, options: &str) -> nix::Result<()> {
    mount(Some(kind), target, Some(kind), flags, Some(options))
}

/// Mounts onto a path below the root, whatever links the image has on the way there.
fn at(
    root: &File,
    target: impl AsRef<OsStr>,
    mounted: impl FnOnce(&Path) -> nix::Result<()>,
) -> Result<(), String> {
    let target = Path::new(target.as_ref());
    let failed = |error: io::Error| format!("mount onto {}: {error}", target.display());
    let open = || open_in_root(root, target, libc::O_PATH);
    let opened = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_dir(root, target)?;
            open()
        }
        other => other,
    };
    let opened = opened.map_err(failed)?;
    let name = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    mounted(&name).map_err(|errno| failed(errno.into()))
}

/// Does something inside a network namespace and comes back.
fn inside_network(path: Option<&Path>, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let Some(path) = path else { return work() };
    let open = |path: &Path| {
        File::open(path).map_err(|error| format!("open network namespace {}: {error}", path.display()))
    };
    let join = |file: &File| {
        setns(file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| format!("join network namespace {}: {errno}", path.display()))
    };
    let (home, there) = (open(Path::new("/proc/self/ns/net"))?, open(path)?);
    join(&there)?;
    let done = work();
    join(&home)?;
    done
}
