//! Volumes with mount options.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};
use volume::{Creation, Error, Volumes};

/// A folder of volumes whose mounts go with it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        assert!(nix::unistd::geteuid().is_root(), "these tests mount: run them as root");
        Folder(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Volumes {
        Volumes::open(&self.0.path().join("volumes")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("volumes")).into_iter().flatten().flatten() {
            let _ = umount2(&entry.path().join("_data"), MntFlags::MNT_DETACH);
        }
    }
}

fn create(volumes: &Volumes, name: &str, kind: &str, device: &str, o: &str) {
    let pairs = [("type", kind), ("device", device), ("o", o)];
    let options: BTreeMap<_, _> = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    volumes.create(Creation { options, ..Creation::named(name) }).unwrap();
}

/// Returns what is mounted at a path, as the kernel tells it.
fn mounted(path: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let here = format!(" {} ", path.display());
    mounts.lines().filter(|line| line.contains(&here)).map(str::to_owned).collect()
}

#[test]
fn tmpfs_is_mounted_from_the_first_user_to_the_last() {
    let folder = Folder::new();
    let volumes = folder.open();
    create(&volumes, "fast", "tmpfs", "tmpfs", "size=1m,uid=1000,nosuid");
    let path = volumes.mount_point("fast").unwrap();
    assert!(mounted(&path).is_empty());

    assert_eq!(volumes.acquire("fast", "a").unwrap(), path);
    volumes.acquire("fast", "b").unwrap();
    volumes.acquire("fast", "b").unwrap();
    fs::write(path.join("file"), "x").unwrap();
    let lines = mounted(&path);
    assert!(lines.len() == 1 && lines[0].contains("size=1024k") && lines[0].contains("nosuid"), "{lines:?}");

    volumes.release("fast", "a").unwrap();
    assert!(path.join("file").exists());
    volumes.release("fast", "b").unwrap();
    assert!(mounted(&path).is_empty() && !path.join("file").exists());
    volumes.release("fast", "b").unwrap();
    volumes.remove("fast").unwrap();
}

#[test]
fn bound_directory_is_the_volume_and_outlives_it() {
    let folder = Folder::new();
    let volumes = folder.open();
    fs::create_dir(folder.path("device")).unwrap();
    fs::write(folder.path("device/file"), "x").unwrap();
    create(&volumes, "bound", "none", folder.path("device").to_str().unwrap(), "bind,ro");

    let path = volumes.acquire("bound", "a").unwrap();
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "x");
    assert!(fs::write(path.join("file"), "y").is_err());
    volumes.release("bound", "a").unwrap();
    volumes.remove("bound").unwrap();

    assert_eq!(fs::read_to_string(folder.path("device/file")).unwrap(), "x");
}

#[test]
fn restart_keeps_mounts_that_are_used_and_ends_the_others() {
    let folder = Folder::new();
    let volumes = folder.open();
    for name in ["used", "unused"] {
        create(&volumes, name, "tmpfs", "tmpfs", "");
        let path = volumes.acquire(name, "a").unwrap();
        fs::write(path.join("file"), "x").unwrap();
    }
    drop(volumes);

    let volumes = folder.open();
    let path = volumes.acquire("used", "a").unwrap();
    volumes.unmount_unused().unwrap();

    assert_eq!((mounted(&path).len(), fs::read_to_string(path.join("file")).unwrap()), (1, "x".to_owned()));
    assert!(mounted(&volumes.mount_point("unused").unwrap()).is_empty());
}

#[test]
fn device_that_is_not_there_is_named_and_leaves_no_user() {
    let folder = Folder::new();
    let volumes = folder.open();
    create(&volumes, "broken", "none", "/nowhere/at/all", "bind");

    let error = volumes.acquire("broken", "a").unwrap_err();

    assert!(matches!(error, Error::Mount { .. }), "{error}");
    assert!(error.to_string().starts_with("failed to mount local volume: mount /nowhere/at/all:"), "{error}");
    volumes.remove("broken").unwrap();
}
