//! The lab's one state file, and the lock that lets one operation at a time change it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::process::DaemonCommand;

/// The file's name in the lab's folder.
pub(crate) const FILE: &str = "lab.json";
/// The state while it is written.
pub(crate) const PART: &str = ".lab.json.part";
/// The lock's name in the lab's folder.
pub(crate) const LOCK: &str = "lock";

/// What is known of a lab beyond what the kernel can tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) name: String,
    /// The third byte of the lab's subnet 10.99.x.0/24, once one was chosen.
    pub(crate) subnet: Option<u8>,
    pub(crate) hosts: Vec<Host>,
    /// How each host's daemon was last started.
    pub(crate) commands: BTreeMap<String, DaemonCommand>,
    /// From which host to which nothing passes.
    pub(crate) cuts: BTreeSet<(String, String)>,
}

impl State {
    /// Reads a lab's state.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Error::Absent(folder.to_owned()),
            _ => Error::file("read", &path)(error),
        })?;
        serde_json::from_str(&text).map_err(|error| Error::State { path, reason: error.to_string() })
    }

    /// Writes a lab's state; a crash leaves the former or this one.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let part = folder.join(PART);
        let text = serde_json::to_string_pretty(self).expect("the state has only text keys");
        fs::write(&part, text).map_err(Error::file("write", &part))?;
        fs::rename(&part, &path).map_err(Error::file("replace", &path))
    }
}

/// Holds off other operations on the same lab while it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lab's lock; a lab that was taken down meanwhile is absent.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path: PathBuf = folder.join(LOCK);
        let absent = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Error::Absent(folder.to_owned()),
            _ => Error::file("open", &path)(error),
        };
        let file = File::create(&path).map_err(absent)?;
        file.lock().map_err(Error::file("lock", &path))?;
        let (held, present) = (file.metadata().map_err(absent)?, fs::metadata(&path).map_err(absent)?);
        if held.ino() != present.ino() {
            return Err(Error::Absent(folder.to_owned()));
        }
        Ok(Self { _file: file })
    }
}
