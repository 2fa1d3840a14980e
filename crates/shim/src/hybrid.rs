//! What libcontainer sees of hierarchies where both versions are mounted: the version 2 hierarchy, as if it were the
//! only one.
//!
//! It would read the whole mount table for each of twelve controllers, and knows neither all limits nor a way to keep
//! devices off with version 2. It only joins the version 2 cgroup it finds made.

use std::path::Path;

use cgroup::Cgroups;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Where libcontainer looks for the hierarchies.
const ROOT: &str = "/sys/fs/cgroup";

/// Lays the version 2 hierarchy over all others, in this mount namespace, until it is dropped.
pub(crate) struct Cover(());

impl Drop for Cover {
    fn drop(&mut self) {
        if let Err(errno) = umount2(ROOT, MntFlags::MNT_DETACH) {
            eprintln!("uncover {ROOT}: {errno}");
        }
    }
}

/// Returns whether this host has both versions.
pub(crate) fn is_hybrid(cgroups: &Cgroups) -> bool {
    let version_2 = cgroups.version_2().is_some_and(|cgroup| cgroup.mount.parent() == Some(Path::new(ROOT)));
    version_2 && !cgroups.version_1().is_empty()
}

/// Hides the version 1 hierarchies from libcontainer.
pub(crate) fn cover(cgroups: &Cgroups) -> Result<Option<Cover>, String> {
    let Some(unified) = cgroups.version_2().filter(|_| is_hybrid(cgroups)) else { return Ok(None) };
    mount(Some(unified.mount), ROOT, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| format!("mount {} onto {ROOT}: {errno}", unified.mount.display()))?;
    Ok(Some(Cover(())))
}
