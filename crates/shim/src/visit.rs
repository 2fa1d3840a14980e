//! The root of a container that does not run, shown to one thread for as long as it looks.

use std::fs::File;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::kernel::open_in_root;
use crate::place::Launch;
use crate::{MountKind, mounts, placing, root};

/// Calls `visit` with the root of a container at rest: layers, writable layer, bind mounts and small files.
///
/// To be called on a thread that ends afterwards: it leaves the host's mounts for good, and what is mounted goes with
/// it, however it ends. No other root may be mounted over the same writable layer at the same time.
pub fn visit_at_rest<T>(launch: &Launch, visit: impl FnOnce(&File) -> T) -> Result<T, String> {
    let spec = &launch.spec;
    // Memory holds nothing while nobody runs, and would only hide the layer.
    let lasting = spec.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Bind { .. }));
    let mut placings = placing::of_mounts(lasting)?;
    root::leave_host_mounts()?;
    root::mount_scratch(&launch.place, spec)?;
    let rootfs = root::mount_root(&launch.place, &spec.layers)?;
    let files = root::write_files(&launch.place, spec)?;
    placings.extend(placing::of_files(spec, &files)?);
    placings.retain(|placing| !mounts::is_late(&placing.target));
    placing::sort(&mut placings);
    mounts::place(&rootfs, &placings)?;
    if spec.read_only {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, &launch.place.rootfs(), None::<&str>, flags, None::<&str>)
            .map_err(|errno| format!("make the root read-only: {errno}"))?;
    }
    let top = open_in_root(&rootfs, Path::new("."), libc::O_RDONLY | libc::O_DIRECTORY)
        .map_err(|error| format!("open the root: {error}"))?;
    Ok(visit(&top))
}
