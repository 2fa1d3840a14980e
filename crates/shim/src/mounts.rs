//! What every container finds mounted, and what its spec asks for, where that needs none of the container's own
//! namespaces but the network's.
//!
//! libcontainer would mount these too, at some ninety system calls each. They are placed below the root before it
//! starts, and come along when it binds the root. `/proc` and `/dev/mqueue` belong to namespaces it makes; what is to
//! lie over them, or in `/dev`, which it fills, is placed when it is done.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use cgroup::{Cgroup, Cgroups, DeviceKind};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, SFlag, makedev, mknodat};
use nix::unistd::{Gid, Uid, fchownat};

use crate::devices::Node;
use crate::kernel::open_in_root;
use crate::placing::{self, Placing};
use crate::root::make_dir;
use crate::tree::Tree;
use crate::{Ipc, Spec};

const SHM_BYTES: u64 = 64 << 20;
const SHM: &str = "/dev/shm";
const CGROUP: &str = "/sys/fs/cgroup";
/// What libcontainer mounts or fills itself.
const LATE: &[&str] = &["/proc", "/dev"];

/// Returns whether something can only be placed when libcontainer is done.
pub(crate) fn is_late(target: &Path) -> bool {
    LATE.iter().any(|late| target.starts_with(late))
}

/// Mounts Docker's defaults that the spec does not replace.
pub(crate) fn place_defaults(
    root: &File,
    spec: &Spec,
    cgroups: &Cgroups,
    shm: Option<&Tree>,
) -> Result<(), String> {
    let own = |target: &str| spec.mounts.iter().any(|mount| mount.target == Path::new(target));
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME;
    at(root, "/dev", |target| fresh("tmpfs", target, flags, "mode=755,size=65536k"))?;
    let options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    at(root, "/dev/pts", |target| fresh("devpts", target, safe, options))?;
    match shm {
        _ if own(SHM) || spec.ipc == Ipc::WithoutShm => {}
        Some(tree) => placing::attach(root, Path::new(SHM), placing::Shape::Directory, tree)?,
        None => {
            let options = format!("mode=1777,size={}", spec.shm_bytes.unwrap_or(SHM_BYTES));
            at(root, SHM, |target| fresh("tmpfs", target, safe | MsFlags::MS_NODEV, &options))?;
        }
    }
    if !own("/sys") { place_sys(root, spec, cgroups) } else { Ok(()) }
}

/// Places what the spec asks for, parents first.
pub(crate) fn place(root: &File, placings: &[Placing]) -> Result<(), String> {
    placings
        .iter()
        .try_for_each(|Placing { target, shape, tree }| placing::attach(root, target, *shape, tree))
}

/// Places what lies over libcontainer's own mounts, inside the mount namespace of the parked process.
pub(crate) fn place_late(pid: i32, placings: &[Placing]) -> Result<(), String> {
    if placings.is_empty() {
        return Ok(());
    }
    inside(&format!("/proc/{pid}/ns/mnt"), CloneFlags::CLONE_NEWNS, || {
        let root = File::open("/").map_err(|error| format!("open the container's root: {error}"))?;
        place(&root, placings)
    })
}

/// Takes the shared memory that a container sees in place of its own.
pub(crate) fn shared_memory(ipc: &Ipc) -> Result<Option<Tree>, String> {
    let take = || {
        let root = File::open("/").map_err(|error| format!("open /: {error}"))?;
        let dir = open_in_root(&root, Path::new(SHM), libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW);
        let tree = dir.and_then(|dir| Tree::of(&dir, crate::tree::Depth::Top));
        tree.map(Some).map_err(|error| format!("share {SHM}: {error}"))
    };
    match ipc {
        Ipc::Private | Ipc::Shareable | Ipc::WithoutShm => Ok(None),
        Ipc::Host => take(),
        Ipc::Joined(namespace) => {
            inside(&namespace.with_file_name("mnt").to_string_lossy(), CloneFlags::CLONE_NEWNS, take)
        }
    }
}

/// Makes device nodes outside `/dev`, which libcontainer does not.
pub(crate) fn make_nodes(root: &File, nodes: &[Node]) -> Result<(), String> {
    for node in nodes.iter().filter(|node| !node.target.starts_with("/dev")) {
        let failed = |cause: String| format!("make device {}: {cause}", node.target.display());
        let (Some(parent), Some(name)) = (node.target.parent(), node.target.file_name()) else {
            return Err(failed("the path names nothing".into()));
        };
        let parent = make_dir(root, parent)?;
        let kind = match node.kind {
            DeviceKind::Block => SFlag::S_IFBLK,
            DeviceKind::Character => SFlag::S_IFCHR,
        };
        let number = makedev(node.major.into(), node.minor.into());
        match mknodat(&parent, Path::new(name), kind, Mode::from_bits_truncate(node.mode), number) {
            // A start before this one has made it.
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(errno) => return Err(failed(errno.to_string())),
        }
        let (uid, gid) = (Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
        fchownat(&parent, Path::new(name), uid, gid, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| failed(errno.to_string()))?;
    }
    Ok(())
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
    let opened = make_dir(root, target)?;
    let name = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    mounted(&name).map_err(|errno| format!("mount onto {}: {}", target.display(), io::Error::from(errno)))
}

/// Does something inside a network namespace and comes back.
fn inside_network(path: Option<&Path>, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    match path {
        Some(path) => inside(&path.to_string_lossy(), CloneFlags::CLONE_NEWNET, work),
        None => work(),
    }
}

/// Does something inside a namespace and comes back. The process must have one thread.
fn inside<T>(path: &str, kind: CloneFlags, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let name = if kind == CloneFlags::CLONE_NEWNET { "network" } else { "mount" };
    let open =
        |path: &str| File::open(path).map_err(|error| format!("open {name} namespace {path}: {error}"));
    let join =
        |file: &File| setns(file, kind).map_err(|errno| format!("join {name} namespace {path}: {errno}"));
    let own = if kind == CloneFlags::CLONE_NEWNET { "/proc/self/ns/net" } else { "/proc/self/ns/mnt" };
    let (home, there) = (open(own)?, open(path)?);
    join(&there)?;
    let done = work();
    join(&home)?;
    done
}
