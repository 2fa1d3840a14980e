//! Making namespaces, pinning them to files and entering them.
//!
//! A namespace lives as long as something refers to it. Here that is a bind mount, as `ip netns` does
//! it, so that a host outlives every process in it and `nsenter` can enter it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{gettid, sethostname};

use crate::error::{Error, Result};
use crate::host::Host;

/// The source of the mounts we make, by which they are told from others.
const MOUNT_SOURCE: &str = "drover-lab";

/// The folder of pins, in the lab's.
pub(crate) const PINS: &str = "ns";

/// A kind of namespace that hosts have for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Net,
    Mount,
    Names,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Net, Self::Mount, Self::Names];

    fn file(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Mount => "mnt",
            Self::Names => "uts",
        }
    }

    fn flag(self) -> CloneFlags {
        match self {
            Self::Net => CloneFlags::CLONE_NEWNET,
            Self::Mount => CloneFlags::CLONE_NEWNS,
            Self::Names => CloneFlags::CLONE_NEWUTS,
        }
    }
}

/// The folder in which a lab's namespaces are pinned.
#[derive(Debug, Clone)]
pub(crate) struct Pins {
    folder: PathBuf,
}

impl Pins {
    pub(crate) fn of(lab: &Path) -> Self {
        Self { folder: lab.join(PINS) }
    }

    /// Returns the file that stands for a namespace.
    pub(crate) fn path(&self, owner: &str, kind: Kind) -> PathBuf {
        self.folder.join(format!("{owner}.{}", kind.file()))
    }

    /// Tells whether a host's namespaces are all pinned.
    pub(crate) fn has(&self, host: &str) -> bool {
        Kind::ALL.into_iter().all(|kind| self.inode(host, kind).is_some())
    }

    /// Returns the number by which `/proc/PID/ns` shows a pinned namespace.
    pub(crate) fn inode(&self, owner: &str, kind: Kind) -> Option<u64> {
        let pin = fs::metadata(self.path(owner, kind)).ok()?;
        let folder = fs::metadata(&self.folder).ok()?;
        // A pin that lost its mount is a plain file of its folder's file system.
        (pin.dev() != folder.dev()).then_some(pin.ino())
    }

    /// Makes the folder a mount of its own that shares nothing with other namespaces, without which
    /// the kernel refuses to pin a mount namespace.
    pub(crate) fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(Error::file("make folder", &self.folder))?;
        let none = None::<&str>;
        mount(Some(MOUNT_SOURCE), &self.folder, Some("tmpfs"), MsFlags::empty(), Some("size=1m,mode=700"))
            .map_err(Error::system(format!("mount tmpfs on {}", self.folder.display())))?;
        mount(none, &self.folder, none, MsFlags::MS_PRIVATE, none)
            .map_err(Error::system(format!("make mount {} private", self.folder.display())))
    }

    /// Unpins everything; returns what could not be.
    pub(crate) fn remove(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        // Stacked mounts come off one by one; EINVAL says that none is left.
        loop {
            match umount2(&self.folder, MntFlags::MNT_DETACH) {
                Ok(()) => {}
                Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => break,
                Err(error) => {
                    errors.push(Error::system(format!("unmount {}", self.folder.display()))(error));
                    break;
                }
            }
        }
        errors
    }

    /// Makes a network namespace without a host.
    pub(crate) fn make_net(&self, owner: &str) -> Result<()> {
        self.make(owner, &[Kind::Net], || Ok(()))
    }

    /// Makes and pins a host's namespaces.
    pub(crate) fn make_host(&self, host: &Host) -> Result<()> {
        self.make(&host.name, &Kind::ALL, || furnish(host))
    }

    /// Unpins a host's namespaces; the kernel removes them when nothing else refers to them.
    pub(crate) fn drop_host(&self, host: &str) -> Vec<Error> {
        Kind::ALL.into_iter().filter_map(|kind| unpin(&self.path(host, kind)).err()).collect()
    }

    fn make(&self, owner: &str, kinds: &[Kind], furnish: impl FnOnce() -> Result<()> + Send) -> Result<()> {
        let flags = kinds.iter().fold(CloneFlags::empty(), |flags, kind| flags | kind.flag());
        let (report, reported) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let made = unshare(flags)
                    .map_err(Error::system(format!("make namespaces for {owner}")))
                    .and_then(|()| furnish())
                    .map(|()| gettid());
                let _ = report.send(made);
                // The namespaces must have an inhabitant until they are pinned.
                let _ = released.recv();
            });
            let thread = reported.recv().expect("the thread reports before it ends")?;
            for kind in kinds {
                let source = PathBuf::from(format!("/proc/self/task/{thread}/ns/{}", kind.file()));
                pin(&source, &self.path(owner, *kind))?;
            }
            drop(release);
            Ok(())
        })
    }

    /// Runs a function on a thread of its own in a network namespace.
    pub(crate) fn within_net<T: Send>(
        &self,
        owner: &str,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        self.within(owner, &[Kind::Net], work)
    }

    /// Runs a function on a thread of its own in all of a host's namespaces.
    pub(crate) fn within_host<T: Send>(
        &self,
        host: &str,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        // The mount namespace comes last, because the pins are not visible from inside.
        self.within(host, &[Kind::Net, Kind::Names, Kind::Mount], work)
    }

    fn within<T: Send>(
        &self,
        owner: &str,
        kinds: &[Kind],
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // Threads share their root folder, and one that shares it may not change mount namespaces.
                unshare(CloneFlags::CLONE_FS).map_err(Error::system("separate a thread's root folder"))?;
                for kind in kinds {
                    let path = self.path(owner, *kind);
                    let file = File::open(&path).map_err(Error::file("open", &path))?;
                    setns(file.as_fd(), kind.flag())
                        .map_err(Error::system(format!("enter {}", path.display())))?;
                }
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

fn pin(source: &Path, target: &Path) -> Result<()> {
    File::create(target).map_err(Error::file("make", target))?;
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(Error::system(format!(
        "pin {} to {}",
        source.display(),
        target.display()
    )))
}

fn unpin(path: &Path) -> Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => {}
        Err(error) => return Err(Error::system(format!("unmount {}", path.display()))(error)),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Gives the calling thread's fresh namespaces what a host has: its name, its own `/run`, and the
/// other hosts' names.
fn furnish(host: &Host) -> Result<()> {
    let none = None::<&str>;
    // Slave, not private: a mount that is removed outside must not be kept alive in here.
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(Error::system("detach the host's mounts from the machine's"))?;
    // Shared below, as on a real machine: what a daemon unmounts goes away in its children too.
    mount(none, "/", none, MsFlags::MS_SHARED | MsFlags::MS_REC, none)
        .map_err(Error::system("share the host's mounts with its containers"))?;
    drop_foreign_pins()?;
    mount(
        Some(MOUNT_SOURCE),
        "/run",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=755"),
    )
    .map_err(Error::system("mount tmpfs on the host's /run"))?;
    let names = host.folder.join("hosts");
    mount(Some(&names), "/etc/hosts", none, MsFlags::MS_BIND, none)
        .map_err(Error::system(format!("bind {} to /etc/hosts", names.display())))?;
    sethostname(&host.name).map_err(Error::system(format!("set the hostname {}", host.name)))
}

/// Unmounts the pins of other namespaces in the calling thread's mount namespace: it would keep them
/// alive after they are unpinned outside.
fn drop_foreign_pins() -> Result<()> {
    let path = Path::new("/proc/thread-self/mountinfo");
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    for target in text.lines().rev().filter_map(foreign_pin) {
        // One may have gone with the folder it was in.
        let _ = umount2(Path::new(&target), MntFlags::MNT_DETACH);
    }
    Ok(())
}

/// Returns the target of a line of `mountinfo` if it is a pin or a folder of pins.
fn foreign_pin(line: &str) -> Option<String> {
    let (mount, file_system) = line.split_once(" - ")?;
    let target = mount.split(' ').nth(4)?;
    let mut fields = file_system.split(' ');
    let (kind, source) = (fields.next()?, fields.next()?);
    (kind == "nsfs" || source == MOUNT_SOURCE).then(|| unescape(target))
}

/// Undoes the octal escapes of blanks and backslashes in `mountinfo`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_told_from_other_mounts() {
        let pin = "61 27 0:4 net:[4026532] /x\\040y/ns/m1.net rw shared:1 - nsfs nsfs rw";
        let folder = "60 27 0:9 / /x/ns rw - tmpfs drover-lab rw,size=1024k";
        let other = "59 27 0:9 / /dev/shm rw - tmpfs tmpfs rw";

        assert_eq!(foreign_pin(pin), Some("/x y/ns/m1.net".to_owned()));
        assert_eq!(foreign_pin(folder), Some("/x/ns".to_owned()));
        assert_eq!(foreign_pin(other), None);
    }
}
