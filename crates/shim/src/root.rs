//! The container's root: layers and a writable layer, mounted where only the shim sees them.
//!
//! The mount lives in the shim's own mount namespace: when the shim and the container are gone, however they
//! went, no mount is left on the host.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, mkdirat};

use crate::kernel::open_in_root;
use crate::place::Place;
use crate::{Spec, init};

/// Room for what libcontainer keeps, and for what the container adds to its small files.
const SCRATCH_BYTES: usize = 1 << 20;
const PAGE_BYTES: usize = 4096;
/// As many symbolic links as the kernel follows in one path.
const LINKS_MAX: usize = 40;

/// Leaves the host's mount namespace; what the host mounts later is still seen.
pub(crate) fn leave_host_mounts() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("make a mount namespace: {errno}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| format!("detach the mounts: {errno}"))
}

/// Mounts the memory that holds what the shim needs only while it lives, with the small files and the skeleton.
///
/// A directory on disk costs each start a dozen inodes, and their removal as many again.
pub(crate) fn mount_scratch(place: &Place, spec: &Spec) -> Result<(), String> {
    let scratch = place.scratch();
    let contents: usize =
        spec.files.iter().map(|file| file.contents.len().next_multiple_of(PAGE_BYTES)).sum();
    // The container can write to its files, but no more than this.
    let options = format!("mode=700,size={}", contents + SCRATCH_BYTES);
    mount(Some("tmpfs"), &scratch, Some("tmpfs"), MsFlags::MS_NODEV, Some(options.as_str()))
        .map_err(|errno| format!("mount memory onto {}: {errno}", scratch.display()))?;
    for dir in [place.rootfs(), place.runtime(), place.files(), place.skeleton()] {
        new_dir(&dir)?;
    }
    for dir in ["dev", "proc", "sys"] {
        new_dir(&place.skeleton().join(dir))?;
    }
    // Links of the image do not matter here: what the image has hides the skeleton's.
    for file in &spec.files {
        place_holder(&place.skeleton(), &file.target)?;
    }
    if spec.init {
        place_holder(&place.skeleton(), Path::new(init::PATH))?;
    }
    Ok(())
}

/// Makes an empty file in the skeleton, unless something is in its place there.
fn place_holder(skeleton: &Path, target: &Path) -> Result<(), String> {
    let names = target.components().filter(|part| *part != Component::RootDir).collect::<Vec<_>>();
    let is_plain = names.iter().all(|part| matches!(part, Component::Normal(_)));
    let Some((_, parents)) = names.split_last().filter(|_| is_plain) else { return Ok(()) };
    let dir = skeleton.join(parents.iter().collect::<PathBuf>());
    let path = skeleton.join(names.iter().collect::<PathBuf>());
    if dir.ancestors().any(Path::is_file) || path.exists() {
        return Ok(());
    }
    fs::create_dir_all(&dir).map_err(|error| format!("make directory {}: {error}", dir.display()))?;
    File::create(&path).map(drop).map_err(|error| format!("make file {}: {error}", path.display()))
}

fn new_dir(path: &Path) -> Result<(), String> {
    fs::create_dir(path).map_err(|error| format!("make directory {}: {error}", path.display()))
}

/// Mounts the root and returns it opened.
pub(crate) fn mount_root(place: &Place, layers: &[PathBuf]) -> Result<File, String> {
    // Named by descriptor: any number of layers fits the one page mount takes, whatever their names hold.
    let open = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(path)
            .map_err(|error| format!("open layer {}: {error}", path.display()))
    };
    let name = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    let skeleton = place.skeleton();
    let lower = layers.iter().chain([&skeleton]);
    let lower: Vec<File> = lower.map(|layer| open(layer)).collect::<Result<_, _>>()?;
    let (upper, work) = (open(&place.upper())?, open(&place.work())?);
    let names: Vec<String> = lower.iter().map(name).collect();
    let options = format!("lowerdir={},upperdir={},workdir={}", names.join(":"), name(&upper), name(&work));

    let rootfs = place.rootfs();
    let flags = MsFlags::empty();
    mount(Some("overlay"), &rootfs, Some("overlay"), flags, Some(options.as_str())).map_err(|errno| {
        format!("mount {} layers with overlayfs at {}: {errno}", layers.len(), rootfs.display())
    })?;
    open(&rootfs)
}

/// Makes a directory and its parents below the root, where the root's links lead, and returns it opened.
pub(crate) fn make_dir(root: &File, path: &Path) -> Result<File, String> {
    let failed = |error: io::Error| format!("make directory {}: {error}", path.display());
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    match open_in_root(root, path, flags) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    let reversed =
        |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    let (mut left, mut at, mut links) = (reversed(path), PathBuf::from("."), 0);
    while let Some(name) = left.pop() {
        match Path::new(&name).components().next() {
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) => {
                // The parent of the top is the top.
                at = at
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty())
                    .unwrap_or(Path::new("."))
                    .to_owned();
                continue;
            }
            Some(Component::RootDir) => {
                at = PathBuf::from(".");
                continue;
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => continue,
        }
        let parent = open_in_root(root, &at, flags).map_err(failed)?;
        match mkdirat(&parent, Path::new(&name), Mode::from_bits_truncate(0o755)) {
            Ok(()) => at.push(&name),
            Err(Errno::EEXIST) => match readlinkat(&parent, Path::new(&name)) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    left.extend(reversed(Path::new(&target)));
                }
                Ok(_) => return Err(failed(Errno::ELOOP.into())),
                Err(_) => at.push(&name),
            },
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    open_in_root(root, &at, flags).map_err(failed)
}

/// Makes an empty file and its parents below the root, unless something is there, and returns it opened.
pub(crate) fn make_file(root: &File, path: &Path) -> Result<File, String> {
    let failed = |error: io::Error| format!("make file {}: {error}", path.display());
    match open_in_root(root, path, libc::O_PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    };
    let parent = make_dir(root, parent)?;
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // A link that leads nowhere is left alone: it is there, and is no file.
    openat(&parent, Path::new(name), flags, Mode::from_bits_truncate(0o644))
        .map_err(|errno| failed(errno.into()))?;
    open_in_root(root, path, libc::O_PATH).map_err(failed)
}

/// Writes the small files that are placed over the root and returns their paths on the host.
pub(crate) fn write_files(place: &Place, spec: &Spec) -> Result<Vec<PathBuf>, String> {
    let dir = place.files();
    let mut paths = Vec::with_capacity(spec.files.len());
    for (number, file) in spec.files.iter().enumerate() {
        let path = dir.join(number.to_string());
        fs::write(&path, &file.contents)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(file.mode)))
            .map_err(|error| format!("write {} for {}: {error}", path.display(), file.target.display()))?;
        paths.push(path);
    }
    Ok(paths)
}
