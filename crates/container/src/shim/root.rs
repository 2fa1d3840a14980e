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

use super::kernel::open_in_root;
use crate::Spec;
use crate::place::Place;

/// Leaves the host's mount namespace; what the host mounts later is still seen.
pub(super) fn leave_host_mounts() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("make a mount namespace: {errno}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| format!("detach the mounts: {errno}"))
}

/// Mounts the root and returns it opened.
pub(super) fn mount_root(place: &Place, layers: &[PathBuf]) -> Result<File, String> {
    // Named by descriptor: any number of layers fits the one page mount takes, whatever their names hold.
    let open = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(path)
            .map_err(|error| format!("open layer {}: {error}", path.display()))
    };
    let name = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    let lower: Vec<File> = layers.iter().map(|layer| open(layer)).collect::<Result<_, _>>()?;
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
pub(super) fn make_dir(root: &File, path: &Path) -> Result<(), String> {
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
pub(super) fn write_files(place: &Place, spec: &Spec) -> Result<Vec<PathBuf>, String> {
    let dir = place.files();
    let mut paths = Vec::with_capacity(spec.files.len());
    if !spec.files.is_empty() {
        fs::create_dir_all(&dir).map_err(|error| format!("make directory {}: {error}", dir.display()))?;
    }
    for (number, file) in spec.files.iter().enumerate() {
        let path = dir.join(number.to_string());
        fs::write(&path, &file.contents)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(file.mode)))
            .map_err(|error| format!("write {} for {}: {error}", path.display(), file.target.display()))?;
        paths.push(path);
    }
    Ok(paths)
}
