//! What a container finds mounted.

use crate::{Invalid, Labels};

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// A host path, a volume's or an image's name; empty for an anonymous volume and for tmpfs.
    pub source: String,
    /// The path inside the container.
    pub target: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
    /// A hint that Linux ignores.
    pub consistency: String,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A path of the host.
    Bind(BindOptions),
    /// A volume.
    Volume(VolumeOptions),
    /// Memory.
    Tmpfs(TmpfsOptions),
    /// An image's files.
    Image {
        /// A path inside the image.
        subpath: String,
    },
}

/// Options of a bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindOptions {
    /// `private`, `rprivate`, `shared`, `rshared`, `slave`, `rslave`; empty means `rprivate`.
    pub propagation: String,
    /// Whether mounts below the source stay out.
    pub non_recursive: bool,
    /// Whether a missing source is made.
    pub create_mountpoint: bool,
    /// Whether mounts below a read-only one stay writable.
    pub read_only_non_recursive: bool,
    /// Whether it is an error when mounts below cannot be made read-only.
    pub read_only_force_recursive: bool,
}

/// Options of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeOptions {
    /// Whether a new volume stays empty instead of taking the image's files.
    pub no_copy: bool,
    /// Labels of a new volume.
    pub labels: Labels,
    /// A path inside the volume.
    pub subpath: String,
    /// The driver of a new volume, and its options.
    pub driver: Option<(String, Labels)>,
}

/// Options of a tmpfs mount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TmpfsOptions {
    /// Its size; 0 means the kernel's default.
    pub size_bytes: u64,
    /// The mode of its root; 0 means 1777.
    pub mode: u32,
    /// Further mount options, each a key or a key and a value.
    pub options: Vec<Vec<String>>,
}

pub(crate) fn validate(mounts: &[Mount]) -> Result<(), Invalid> {
    let mut targets = std::collections::BTreeSet::new();
    for mount in mounts {
        if mount.target.is_empty() {
            return Err(Invalid::because("ContainerSpec: invalid mount: target must not be empty"));
        }
        if !targets.insert(mount.target.trim_end_matches('/')) {
            return Err(Invalid::because(format!("ContainerSpec: duplicate mount point: {}", mount.target)));
        }
    }
    Ok(())
}
