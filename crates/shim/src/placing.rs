//! The mounts and small files of a spec, taken from the host before its mounts are left.
//!
//! Taken later, a mount would have lost its ties to the host's, and could pass nothing back to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use libc::{MS_PRIVATE, MS_SHARED, MS_SLAVE};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::root::{make_dir, make_file};
use crate::tree::{Depth, Tree, flags};
use crate::{Mount, MountKind, Propagation, Spec, Submounts};

/// What a mount has to lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Directory,
    File,
}

/// Something to be mounted in the container.
#[derive(Debug)]
pub(crate) struct Placing {
    pub target: PathBuf,
    pub shape: Shape,
    pub tree: Tree,
}

/// Takes everything that mounts name.
pub(crate) fn of_mounts<'a>(mounts: impl IntoIterator<Item = &'a Mount>) -> Result<Vec<Placing>, String> {
    mounts.into_iter().map(of_mount).collect()
}

/// Takes the small files, which lie at these paths; where a mount has the same target, that is what is wanted.
pub(crate) fn of_files(spec: &Spec, paths: &[PathBuf]) -> Result<Vec<Placing>, String> {
    let mut placings = Vec::with_capacity(paths.len());
    for (file, path) in spec.files.iter().zip(paths) {
        if spec.mounts.iter().any(|mount| mount.target == file.target) {
            continue;
        }
        let failed = |error: io::Error| format!("place {}: {error}", file.target.display());
        let opened = open(path).map_err(failed)?;
        let tree = Tree::of(&opened, Depth::Top).map_err(failed)?;
        if file.read_only {
            tree.restrict(flags::READ_ONLY, Depth::Top).map_err(failed)?;
        }
        placings.push(Placing { target: file.target.clone(), shape: Shape::File, tree });
    }
    Ok(placings)
}

/// Brings parents before what is below them, whatever order they were asked for in.
pub(crate) fn sort(placings: &mut [Placing]) {
    placings.sort_by_key(|placing| placing.target.components().count());
}

/// Mounts onto a path below the root, which is made where it is missing; the root's links lead nowhere else.
pub(crate) fn attach(root: &File, target: &Path, shape: Shape, tree: &Tree) -> Result<(), String> {
    let opened = match shape {
        Shape::Directory => make_dir(root, target),
        Shape::File => make_file(root, target),
    };
    tree.attach(&opened?).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTDIR) => format!(
            "mount onto {}: not a directory: are you trying to mount a directory onto a file (or vice-versa)?",
            target.display()
        ),
        _ => format!("mount onto {}: {error}", target.display()),
    })
}

fn of_mount(mount: &Mount) -> Result<Placing, String> {
    let target = mount.target.clone();
    match &mount.kind {
        MountKind::Bind { source, subpath, propagation, submounts } => {
            let opened = opened(source, subpath.as_deref())?;
            let failed = |error: io::Error| format!("bind {}: {error}", source.display());
            let is_dir = opened.metadata().map_err(failed)?.is_dir();
            let depth = if *submounts == Submounts::Excluded { Depth::Top } else { Depth::Whole };
            let tree = Tree::of(&opened, depth).map_err(failed)?;
            let propagation = match propagation {
                Propagation::Private => MS_PRIVATE,
                Propagation::Slave => MS_SLAVE,
                Propagation::Shared => MS_SHARED,
            };
            tree.propagate(propagation, depth).map_err(failed)?;
            if mount.read_only {
                let depth = if *submounts == Submounts::Included { Depth::Whole } else { Depth::Top };
                tree.restrict(flags::READ_ONLY, depth).map_err(failed)?;
            }
            Ok(Placing { target, shape: if is_dir { Shape::Directory } else { Shape::File }, tree })
        }
        MountKind::Tmpfs { size_bytes, mode, options } => {
            let mut wanted = tmpfs_options(*size_bytes, *mode, options)?;
            if mount.read_only {
                wanted.flags |= flags::READ_ONLY;
            }
            let tree = Tree::tmpfs(&wanted.data, wanted.flags)
                .map_err(|error| format!("make a tmpfs for {}: {error}", target.display()))?;
            Ok(Placing { target, shape: Shape::Directory, tree })
        }
    }
}

/// Opens the source of a bind mount; a path below it cannot lead out of it, whoever changes links meanwhile.
fn opened(source: &Path, subpath: Option<&Path>) -> Result<File, String> {
    let top = open(source).map_err(|error| format!("open {}: {error}", source.display()))?;
    let Some(subpath) = subpath else { return Ok(top) };
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(&top, subpath, how).map(File::from).map_err(|errno| match errno {
        nix::errno::Errno::EXDEV => {
            format!("subpath {} leads out of {}", subpath.display(), source.display())
        }
        errno => format!("open subpath {} of {}: {errno}", subpath.display(), source.display()),
    })
}

/// Opens a path of the host to be taken as a mount.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)
}

/// What a tmpfs is made with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tmpfs {
    flags: u64,
    /// Options that the file system itself reads.
    data: Vec<String>,
}

/// Reads options as `mount` takes them; later ones win.
pub(crate) fn tmpfs_options(
    size_bytes: Option<u64>,
    mode: Option<u32>,
    options: &[String],
) -> Result<Tmpfs, String> {
    // Options, the flags they touch, and what they make of them.
    const FLAGS: &[(&str, u64, u64)] = &[
        ("ro", flags::READ_ONLY, flags::READ_ONLY),
        ("rw", flags::READ_ONLY, 0),
        ("nosuid", flags::NO_SUID, flags::NO_SUID),
        ("suid", flags::NO_SUID, 0),
        ("nodev", flags::NO_DEV, flags::NO_DEV),
        ("dev", flags::NO_DEV, 0),
        ("noexec", flags::NO_EXEC, flags::NO_EXEC),
        ("exec", flags::NO_EXEC, 0),
        ("noatime", flags::ATIME, flags::NO_ATIME),
        ("relatime", flags::ATIME, 0),
        ("atime", flags::ATIME, 0),
        ("strictatime", flags::ATIME, flags::STRICT_ATIME),
        ("nodiratime", flags::NO_DIR_ATIME, flags::NO_DIR_ATIME),
        ("diratime", flags::NO_DIR_ATIME, 0),
    ];
    const DATA: &[&str] = &["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"];
    // Propagation means nothing to a mount that nobody else has; the rest is what is done anyway.
    const IGNORED: &[&str] = &[
        "defaults",
        "private",
        "rprivate",
        "slave",
        "rslave",
        "shared",
        "rshared",
        "async",
        "nomand",
        "tmpcopyup",
    ];

    let mut wanted = Tmpfs { flags: flags::NO_SUID | flags::NO_DEV | flags::NO_EXEC, data: Vec::new() };
    let mut set = |key: &str, value: String| {
        wanted.data.retain(|known: &String| known.split('=').next() != Some(key));
        wanted.data.push(format!("{key}={value}"));
    };
    set("mode", format!("{:o}", mode.unwrap_or(0o1777)));
    if let Some(bytes) = size_bytes {
        set("size", bytes.to_string());
    }
    for option in options {
        if let Some((_, touched, value)) = FLAGS.iter().find(|(name, ..)| name == option) {
            wanted.flags = wanted.flags & !touched | value;
            continue;
        }
        match option.split_once('=') {
            Some((key, value)) if DATA.contains(&key) => set(key, value.to_owned()),
            None if IGNORED.contains(&option.as_str()) => {}
            _ => return Err(format!("invalid tmpfs option {option:?}")),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: u64 = flags::NO_SUID | flags::NO_DEV | flags::NO_EXEC;

    fn check(size_bytes: Option<u64>, mode: Option<u32>, options: &str, expected: Result<(u64, &str), &str>) {
        let options: Vec<String> = options.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect();
        let made = tmpfs_options(size_bytes, mode, &options).map(|made| (made.flags, made.data.join(",")));
        let made = made.as_ref().map(|(flags, data)| (*flags, data.as_str())).map_err(String::as_str);
        assert_eq!(made, expected, "{options:?}");
    }

    #[test]
    fn tmpfs_is_harmless_unless_asked_otherwise() {
        check(None, None, "", Ok((USUAL, "mode=1777")));
        check(Some(4096), Some(0o700), "", Ok((USUAL, "mode=700,size=4096")));
        check(None, None, "exec,suid,dev", Ok((0, "mode=1777")));
        check(None, None, "exec,noexec,ro", Ok((USUAL | flags::READ_ONLY, "mode=1777")));
        check(None, None, "rw,noatime,rprivate", Ok((USUAL | flags::NO_ATIME, "mode=1777")));
    }

    #[test]
    fn later_options_of_a_tmpfs_win() {
        check(
            Some(1),
            None,
            "size=64k,uid=33,gid=34,mode=0750",
            Ok((USUAL, "size=64k,uid=33,gid=34,mode=0750")),
        );
    }

    #[test]
    fn unknown_options_of_a_tmpfs_are_refused() {
        check(None, None, "size", Err("invalid tmpfs option \"size\""));
        check(None, None, "lowerdir=/etc", Err("invalid tmpfs option \"lowerdir=/etc\""));
        check(None, None, "bind", Err("invalid tmpfs option \"bind\""));
    }
}
