//! Why something could not be done with a volume.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Tells why something could not be done with a volume; users of Docker know most of the texts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No volume has this name.
    #[error("get {name}: no such volume")]
    NotFound {
        /// The name.
        name: String,
    },
    /// No volume may have this name.
    #[error("create {name}: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such driver.
    #[error("create {name}: error looking up volume plugin {driver}: plugin {driver:?} not found")]
    UnknownDriver {
        /// The volume.
        name: String,
        /// The driver.
        driver: String,
    },
    /// The driver's options are wrong.
    #[error("create {name}: {reason}")]
    BadOption {
        /// The volume.
        name: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The volume is acquired.
    #[error("remove {name}: volume is in use - [{}]", .users.join(", "))]
    InUse {
        /// The volume.
        name: String,
        /// Who acquired it.
        users: Vec<String>,
    },
    /// The volume holds something, and nothing may be mixed with it.
    #[error(
        "import {name}: the volume is not empty: take another one, or --merge to add to it and replace what has the same name"
    )]
    NotEmpty {
        /// The name.
        name: String,
    },
    /// The volume's device could not be mounted.
    #[error("failed to mount local volume: mount {device}:{}", .path.display())]
    Mount {
        /// What was to be mounted.
        device: String,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The volume's content could not be packed, unpacked or copied.
    #[error("{action} volume {name}")]
    Content {
        /// What was done.
        action: &'static str,
        /// The volume.
        name: String,
        /// What went wrong.
        source: archive::Error,
    },
    /// A file of a volume could not be read or written.
    #[error("{action} {}", .path.display())]
    File {
        /// What was done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path: path.clone(), source }
    }

    pub(crate) fn mount(device: &str, path: &Path) -> impl Fn(Errno) -> Self + use<> {
        let (device, path) = (device.to_owned(), path.to_owned());
        move |errno| Self::Mount { device: device.clone(), path: path.clone(), source: errno.into() }
    }

    pub(crate) fn content(action: &'static str, name: &str) -> impl Fn(archive::Error) -> Self + use<> {
        let name = name.to_owned();
        move |source| Self::Content { action, name: name.clone(), source }
    }
}
