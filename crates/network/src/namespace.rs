//! Network namespaces kept alive by bind mounts, and threads that visit them.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use crate::Error;

/// The magic number of the file system namespaces live in; a bind mount that holds none shows another.
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// Is an open network namespace that a thread can move into.
#[derive(Debug)]
pub struct NamespaceHandle {
    file: File,
}

impl NamespaceHandle {
    /// Moves the calling thread, and no other, into the namespace.
    ///
    /// The thread stays there until it ends or moves on; sockets it opened before keep their namespace.
    pub fn enter(&self) -> io::Result<()> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    /// Returns the namespace the calling thread is in.
    pub(crate) fn of_this_thread() -> Result<NamespaceHandle, Error> {
        let path = Path::new("/proc/thread-self/ns/net");
        let file = File::open(path).map_err(Error::file("open", path))?;
        Ok(NamespaceHandle { file })
    }

    /// Opens the namespace held at `path`; `None` if nothing is held there.
    pub(crate) fn at(path: &Path) -> Result<Option<NamespaceHandle>, Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("open", path)(error)),
        };
        let kind =
            nix::sys::statfs::fstatfs(&file).map_err(|errno| Error::file("examine", path)(errno.into()))?;
        // The type of the field differs between libcs and architectures.
        #[allow(clippy::unnecessary_cast)]
        let held = kind.filesystem_type().0 as i64 == NSFS_MAGIC;
        Ok(held.then_some(NamespaceHandle { file }))
    }

    pub(crate) fn try_clone(&self) -> Result<NamespaceHandle, Error> {
        let file = self.file.try_clone().map_err(Error::kernel("duplicate a namespace's descriptor"))?;
        Ok(NamespaceHandle { file })
    }

    pub(crate) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Moves the calling thread into a fresh network namespace and holds it at `path`.
///
/// Meant for a thread that ends soon: it stays in the namespace.
pub(crate) fn create(path: &Path) -> Result<NamespaceHandle, Error> {
    File::create(path).map_err(Error::file("create", path))?;
    let held = unshare(CloneFlags::CLONE_NEWNET).and_then(|()| {
        mount(Some("/proc/thread-self/ns/net"), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
    });
    if let Err(errno) = held {
        let _ = fs::remove_file(path);
        return Err(Error::file("hold a network namespace at", path)(errno.into()));
    }
    NamespaceHandle::of_this_thread()
}

/// Lets go of the namespace held at `path`, if any; it ends with its last process and socket.
pub(crate) fn release(path: &Path) -> Result<(), Error> {
    use nix::errno::Errno;
    // A crash between two mounts could have stacked them.
    loop {
        match umount2(path, MntFlags::MNT_DETACH) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(Error::file("unmount", path)(errno.into())),
        }
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file("remove", path)(error)),
    }
}

/// Lists the names held in a folder of namespaces.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::file("list", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("list", folder))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// Returns where the namespace called `id` is held, or refuses an id that could leave the folder.
pub(crate) fn path(folder: &Path, id: &str) -> Result<PathBuf, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if id.is_empty() || id.len() > 200 || id.starts_with('.') || !id.chars().all(plain) {
        return Err(Error::BadId { id: id.to_owned() });
    }
    Ok(folder.join(id))
}

/// Sets a kernel option of the calling thread's namespace.
pub(crate) fn set_option(name: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(name);
    fs::write(&path, value).map_err(Error::file("set the kernel option", path))
}

/// Sets a kernel option that kernels built without its feature lack.
pub(crate) fn set_option_if_there(name: &str, value: &str) -> Result<(), Error> {
    match set_option(name, value) {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Runs `work` inside `namespace` on a thread of its own and waits for it.
pub(crate) fn visit<T: Send>(
    namespace: &NamespaceHandle,
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let run = || namespace.enter().map_err(Error::kernel("enter a namespace")).and_then(|()| work());
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or(Err(Error::Thread { action })))
}

/// Runs `work` on a thread of its own inside `namespace` and waits for it without blocking the runtime.
///
/// The thread ends with the work, so that no pooled thread is ever left in a foreign namespace. The work goes on to
/// its end when the waiting future is dropped: nothing half-made stays behind.
pub(crate) async fn on_thread<T: Send + 'static>(
    namespace: &NamespaceHandle,
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let namespace = namespace.try_clone()?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let run = move || {
        let result =
            namespace.enter().map_err(Error::kernel("enter the host's namespace")).and_then(|()| work());
        let _ = sender.send(result);
    };
    std::thread::Builder::new().name("network".into()).spawn(run).map_err(Error::kernel("start a thread"))?;
    receiver.await.unwrap_or(Err(Error::Thread { action }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_leave_the_folder_are_refused() {
        let folder = Path::new("/run/x");
        for id in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "ä", &"x".repeat(201)] {
            assert!(matches!(path(folder, id), Err(Error::BadId { .. })), "{id:?}");
        }
        assert_eq!(path(folder, "web.1-a_b").unwrap(), Path::new("/run/x/web.1-a_b"));
    }
}
