//! Trees in a few words, and what they hold.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use archive::{Error, Mounts, Owner, Packing, Replace, Root, Top, TopDirectory, Unpacking};

pub const WHOLE: Packing = Packing { top: Top::Dot, mounts: Mounts::Cross };
pub const FAITHFUL: Unpacking =
    Unpacking { owner: Owner::AsPacked, replace: Replace::Anything, top: TopDirectory::Set };

pub fn root(path: &Path) -> Root {
    assert!(nix::unistd::geteuid().is_root(), "these tests make devices and owners: run them as root");
    Root::open(path).unwrap()
}

pub fn pack(path: &Path, at: &str, top: Top) -> Result<Vec<u8>, Error> {
    let mut archive = Vec::new();
    root(path).pack(Path::new(at), Packing { top, ..WHOLE }, &mut archive)?;
    Ok(archive)
}

pub fn unpack(path: &Path, archive: &[u8]) -> Result<(), Error> {
    root(path).unpack(Path::new(""), archive, FAITHFUL)
}

/// Returns the names in an archive, as another reader sees them.
pub fn names(archive: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap();
    entries.map(|entry| String::from_utf8_lossy(&entry.unwrap().path_bytes()).into_owned()).collect()
}

/// Makes `dir/`, `file=content` and `link->target`, each with its parents.
pub fn plant(folder: &Path, tree: &str) {
    for word in tree.split_whitespace() {
        let parent = |path: &str| fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        if let Some((path, target)) = word.split_once("->") {
            parent(path);
            symlink(target, folder.join(path)).unwrap();
        } else if let Some((path, content)) = word.split_once('=') {
            parent(path);
            fs::write(folder.join(path), content).unwrap();
        } else {
            fs::create_dir_all(folder.join(word)).unwrap();
        }
    }
}

/// Says everything about a tree that an archive keeps, a line per file.
pub fn describe(folder: &Path) -> String {
    let mut lines = Vec::new();
    describe_below(folder, folder, &mut lines);
    lines.sort();
    lines.join("\n")
}

fn describe_below(folder: &Path, path: &Path, lines: &mut Vec<String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let name = path.strip_prefix(folder).unwrap();
    let mut line = format!(
        "{name:?} {:o} {}:{} {}.{} links {}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.mtime(),
        meta.mtime_nsec(),
        if meta.is_dir() { 0 } else { meta.nlink() }
    );
    if meta.is_symlink() {
        line += &format!(" to {:?}", fs::read_link(path).unwrap());
    } else if meta.is_file() {
        let content = fs::read(path).unwrap();
        line += &format!(
            " holds {} {:x}",
            content.len(),
            content.iter().fold(7u64, |sum, b| sum * 31 % 1_000_007 + u64::from(*b))
        );
    } else if !meta.is_dir() {
        line += &format!(" device {}", meta.rdev());
    }
    if meta.is_dir() || meta.is_file() {
        let mut attributes: Vec<_> = xattr::list(path).unwrap().collect();
        attributes.sort();
        for name in attributes {
            line += &format!(" {name:?}={:?}", xattr::get(path, &name).unwrap().unwrap());
        }
    }
    lines.push(line);
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            describe_below(folder, &entry.unwrap().path(), lines);
        }
    }
}

/// Fills a folder with every kind of file.
pub fn plant_everything(folder: &Path) {
    let at = |name: &str| folder.join(name);
    plant(folder, "empty/ deep/er/file=text deep/link->../../etc/passwd broken->/nowhere");
    fs::write(at("program"), "#!/bin/sh").unwrap();
    chown(at("program"), Some(1000), Some(3_000_000)).unwrap();
    fs::set_permissions(at("program"), Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(at("program"), at("deep/again")).unwrap();
    fs::create_dir(at("sticky")).unwrap();
    fs::set_permissions(at("sticky"), Permissions::from_mode(0o3777)).unwrap();
    let long = "n".repeat(200);
    plant(folder, &format!("{long}/{long}=long {long}/to->{long} ü=umlaut"));
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"bytes\xff\xfe")), "no text").unwrap();
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o622);
    nix::unistd::mkfifo(&at("pipe"), mode).unwrap();
    let null = nix::sys::stat::makedev(1, 3);
    nix::sys::stat::mknod(&at("null"), nix::sys::stat::SFlag::S_IFCHR, mode, null).unwrap();
    let mut sparse = File::create(at("sparse")).unwrap();
    sparse.write_all(b"begin").unwrap();
    sparse.set_len(20 << 20).unwrap();
    xattr::set(at("program"), "user.note", b"kept\0\n=").unwrap();
    xattr::set(at("empty"), "user.folder", b"kept").unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    xattr::set(at("deep/er/file"), "security.capability", &capability).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_millis(1500);
    File::open(at("deep/er/file")).unwrap().set_modified(old).unwrap();
    let whole = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::open(at("deep")).unwrap().set_modified(whole).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o750)).unwrap();
    chown(folder, Some(999), Some(999)).unwrap();
}
