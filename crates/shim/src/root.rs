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
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, mkdirat};

use crate::Spec;
use crate::kernel::open_in_root;
use crate::place::Place;

/// Room for what libcontainer keeps, and for what the container adds to its small files.
const SCRATCH_BYTES: usize = 1 << 20;
const PAGE_BYTES: usize = 4096;

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

/// Makes a directory and its parents below the root, never leaving it over a symbolic link.
pub(crate) fn make_dir(root: &File, path: &Path) -> Result<(), String> {
    let mut at = PathBuf::from(".");
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        let parent = at.clone();
        at.push(name);
        match open_in_root(root, &at, libc::O_PATH) {
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("open {}: {error}", path.display())),
        }
        let made = open_in_root(root, &parent, libc::O_PATH | libc::O_DIRECTORY).and_then(|parent| {
            match mkdirat(&parent, Path::new(name), Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        });
        made.map_err(|error| format!("make directory {}: {error}", path.display()))?;
    }
    Ok(())
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
