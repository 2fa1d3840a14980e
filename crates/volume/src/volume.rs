//! One volume, and what is asked for one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

/// The one driver there is.
pub const DRIVER: &str = "local";
/// The label of volumes that nobody named.
pub const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// Describes a volume of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What it is called.
    pub name: String,
    /// The options it was created with.
    pub options: BTreeMap<String, String>,
    /// What its creator noted on it.
    pub labels: BTreeMap<String, String>,
    /// When it was created, to the second.
    pub created: SystemTime,
    /// The directory with what it holds.
    pub mount_point: PathBuf,
}

impl Volume {
    /// Tells whether nobody named it.
    pub fn is_anonymous(&self) -> bool {
        self.labels.contains_key(ANONYMOUS_LABEL)
    }
}

/// Asks for a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Creation {
    /// What it shall be called; without a name it gets one that no other has, and the label of such volumes.
    pub name: Option<String>,
    /// Who shall keep it: [`DRIVER`], which is also meant if it is empty.
    pub driver: String,
    /// `type`, `device` and `o`, as the driver of Docker takes them.
    pub options: BTreeMap<String, String>,
    /// What is noted on it.
    pub labels: BTreeMap<String, String>,
}

impl Creation {
    /// Asks for a plain volume of this name.
    pub fn named(name: &str) -> Creation {
        Creation { name: Some(name.to_owned()), ..Creation::default() }
    }
}
