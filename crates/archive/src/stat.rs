//! What `docker cp` wants to know of a path before it copies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{FileStat, Mode, SFlag};

use crate::Error;
use crate::entry::format_of;
use crate::root::{Root, split};

/// Describes what is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The path's last name; `.` if the path ends in `/.`, and `/` for the root.
    pub name: OsString,
    /// Bytes of content.
    pub size: u64,
    /// Permissions and kind, as bits of Go's `os.FileMode`.
    pub mode: u32,
    /// When its content last changed.
    pub mtime: SystemTime,
    /// Where a link leads in the end, absolute inside the root; empty for anything else.
    pub link_target: PathBuf,
}

impl Stat {
    /// Tells whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & GO_DIRECTORY != 0
    }
}

impl Root {
    /// Describes what is at a path; a link itself, unless the path ends in `/` or `/.`.
    pub fn stat(&self, path: &Path) -> Result<Stat, Error> {
        let stat = self.spot(path)?.stat().map_err(Error::at("look at", path))?;
        let is_link = format_of(&stat) == SFlag::S_IFLNK;
        Ok(Stat {
            name: base_name(path),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: go_mode(&stat),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            link_target: if is_link { self.follow(path)? } else { PathBuf::new() },
        })
    }
}

/// Returns the name that a path's entries begin with.
pub(crate) fn base_name(path: &Path) -> OsString {
    match split(path) {
        (_, Some(name)) => name.to_owned(),
        (whole, None) if whole == Path::new(".") || whole.as_os_str().as_encoded_bytes().ends_with(b"/.") => {
            ".".into()
        }
        (whole, None) => whole.file_name().map_or_else(|| "/".into(), OsString::from),
    }
}

const GO_DIRECTORY: u32 = 1 << 31;

fn go_mode(stat: &FileStat) -> u32 {
    const SYMLINK: u32 = 1 << 27;
    const DEVICE: u32 = 1 << 26;
    const NAMED_PIPE: u32 = 1 << 25;
    const SOCKET: u32 = 1 << 24;
    const SET_UID: u32 = 1 << 23;
    const SET_GID: u32 = 1 << 22;
    const CHAR_DEVICE: u32 = 1 << 21;
    const STICKY: u32 = 1 << 20;
    const IRREGULAR: u32 = 1 << 19;
    let kind = match format_of(stat) {
        SFlag::S_IFREG => 0,
        SFlag::S_IFDIR => GO_DIRECTORY,
        SFlag::S_IFLNK => SYMLINK,
        SFlag::S_IFBLK => DEVICE,
        SFlag::S_IFCHR => DEVICE | CHAR_DEVICE,
        SFlag::S_IFIFO => NAMED_PIPE,
        SFlag::S_IFSOCK => SOCKET,
        _ => IRREGULAR,
    };
    let special = [(Mode::S_ISUID, SET_UID), (Mode::S_ISGID, SET_GID), (Mode::S_ISVTX, STICKY)];
    let special = special.iter().filter(|(bit, _)| stat.st_mode & bit.bits() != 0).map(|(_, go)| go);
    special.fold(kind | stat.st_mode & 0o777, |mode, bit| mode | bit)
}

fn time(seconds: i64, nanoseconds: i64) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    let fraction = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
    second.and_then(|second| second.checked_add(fraction)).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn modes_are_those_of_go() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::set_permissions(at("d"), Permissions::from_mode(0o1777)).unwrap();
        fs::write(at("f"), "four").unwrap();
        fs::set_permissions(at("f"), Permissions::from_mode(0o6755)).unwrap();
        symlink("d", at("l")).unwrap();
        nix::unistd::mkfifo(&at("p"), Mode::from_bits_truncate(0o600)).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let cases = [
            ("/d", "d", (1 << 31) | (1 << 20) | 0o777, ""),
            ("/d/", "d", (1 << 31) | (1 << 20) | 0o777, ""),
            ("/d/.", ".", (1 << 31) | (1 << 20) | 0o777, ""),
            ("f", "f", (1 << 23) | (1 << 22) | 0o755, ""),
            ("/l", "l", (1 << 27) | 0o777, "/d"),
            ("/l/", "l", (1 << 31) | (1 << 20) | 0o777, ""),
            ("/p", "p", (1 << 25) | 0o600, ""),
        ];
        for (path, name, mode, link_target) in cases {
            let stat = root.stat(Path::new(path)).unwrap();
            let found = (stat.name.to_str().unwrap(), stat.mode, stat.link_target.to_str().unwrap());
            assert_eq!(found, (name, mode, link_target), "{path}");
        }
        assert_eq!(root.stat(Path::new("/")).unwrap().name, "/");
        assert_eq!(root.stat(Path::new("f")).unwrap().size, 4);
        assert_eq!(
            root.stat(Path::new("f")).unwrap().mtime,
            fs::metadata(at("f")).unwrap().modified().unwrap()
        );
        assert!(matches!(root.stat(Path::new("/gone")), Err(Error::NotFound { .. })));
        assert!(matches!(root.stat(Path::new("/f/")), Err(Error::NotADirectory { .. })));
    }
}
