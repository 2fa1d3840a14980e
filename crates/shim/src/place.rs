//! Where the parts of one container lie on disk.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ExecStatus, Exit, Spec, Started};

/// Unix socket addresses hold 108 bytes, the closing zero included.
const SOCKET_PATH_MAX: usize = 107;

/// The paths of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its directory.
    pub dir: PathBuf,
    /// Where its shim listens.
    pub socket: PathBuf,
}

/// All a shim needs to know; kept as `container.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    /// What the container is made of.
    pub spec: Spec,
    /// Where its parts lie.
    pub place: Place,
    /// The cgroup below every hierarchy's mount point.
    pub cgroup: PathBuf,
}

impl Place {
    /// Returns where a container of this id lies.
    pub fn new(root: &Path, run: &Path, id: &str) -> Place {
        Place { dir: root.join(id), socket: run.join(socket_name(run, id)) }
    }

    /// Holds the [`Launch`].
    pub fn launch(&self) -> PathBuf {
        self.dir.join("container.json")
    }
    /// The bottom of the writable layer.
    pub fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }
    /// What the overlay file system needs beside the writable layer.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work")
    }
    /// Where the shim keeps in memory, in its own mount namespace only, what matters no longer than it lives.
    pub fn scratch(&self) -> PathBuf {
        self.dir.join("scratch")
    }
    /// Where the shim mounts the root.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.scratch().join("rootfs")
    }
    /// The lowest layer of the root, which has what is mounted over.
    pub(crate) fn skeleton(&self) -> PathBuf {
        self.scratch().join("skeleton")
    }
    pub(crate) fn files(&self) -> PathBuf {
        self.scratch().join("files")
    }
    /// What libcontainer keeps about it.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.scratch().join("runtime")
    }
    /// The current file of the log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("json.log")
    }
    /// What the shim says on its standard error: panics, for the most part.
    pub fn complaints(&self) -> PathBuf {
        self.dir.join("shim.err")
    }
    /// Exists from when everything is prepared until the start, which turns it into [`Place::started`].
    pub fn created(&self) -> PathBuf {
        self.dir.join("created")
    }
    /// Holds when and as which process the program was executed.
    pub fn started(&self) -> PathBuf {
        self.dir.join("started.json")
    }
    /// Holds how the container ended.
    pub fn exit(&self) -> PathBuf {
        self.dir.join("exit.json")
    }
    /// Holds how the further processes of a container that has ended have ended.
    pub fn execs(&self) -> PathBuf {
        self.dir.join("execs.json")
    }

    /// Reads what the shim needs to know.
    pub fn read_launch(&self) -> std::io::Result<Launch> {
        read(&self.launch())
    }
    /// Writes down the start, whole or not at all.
    pub(crate) fn write_started(&self, started: &Started) -> std::io::Result<()> {
        write(&self.created(), started)?;
        std::fs::rename(self.created(), self.started())
    }
    /// Reads when the program was executed; none if it was not.
    pub fn read_started(&self) -> Option<Started> {
        read(&self.started()).ok()
    }
    /// Reads how the container ended; none if it has not.
    pub fn read_exit(&self) -> Option<Exit> {
        read(&self.exit()).ok()
    }
    /// Reads how further processes have ended; empty if there were none.
    pub fn read_execs(&self) -> Vec<(String, ExecStatus)> {
        read(&self.execs()).unwrap_or_default()
    }
}

/// Writes a small file whole.
pub fn write<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    std::fs::write(path, serde_json::to_vec(value)?)
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> std::io::Result<T> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Shortens long ids where the whole would not fit an address: the front for people, a hash for uniqueness.
fn socket_name(run: &Path, id: &str) -> String {
    let room = SOCKET_PATH_MAX.saturating_sub(run.as_os_str().len() + 1);
    if id.len() <= room {
        return id.to_owned();
    }
    let mut hash = DefaultHasher::new();
    id.hash(&mut hash);
    let hash = format!("{:016x}", hash.finish());
    let front = room.saturating_sub(hash.len() + 1);
    format!("{}.{hash}", &id[..front])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_paths_fit_an_address_and_differ() {
        let run = PathBuf::from(format!("/{}", "r".repeat(60)));
        let (a, b) = (format!("{}a", "0".repeat(63)), format!("{}b", "0".repeat(63)));

        let (a, b) = (Place::new(&run, &run, &a), Place::new(&run, &run, &b));

        assert!(a.socket.as_os_str().len() <= SOCKET_PATH_MAX);
        assert_ne!(a.socket, b.socket);
    }
}
