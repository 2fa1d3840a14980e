//! What a container finds mounted.

use model::{Invalid, MountKind};
use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{Driver, Labels};

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs` or `image`; empty means `bind`, as in Swarm.
    #[serde(rename = "Type", skip_serializing_if = "empty")]
    pub kind: String,
    /// A host path, a volume's or an image's name.
    #[serde(skip_serializing_if = "empty")]
    pub source: String,
    /// The path inside the container.
    #[serde(skip_serializing_if = "empty")]
    pub target: String,
    /// Whether the container may not write to it.
    #[serde(skip_serializing_if = "empty")]
    pub read_only: bool,
    /// A hint that Linux ignores.
    #[serde(skip_serializing_if = "empty")]
    pub consistency: String,
    /// Options of a bind mount.
    #[serde(skip_serializing_if = "empty")]
    pub bind_options: Option<BindOptions>,
    /// Options of a volume.
    #[serde(skip_serializing_if = "empty")]
    pub volume_options: Option<VolumeOptions>,
    /// Options of an image mount.
    #[serde(skip_serializing_if = "empty")]
    pub image_options: Option<ImageOptions>,
    /// Options of a tmpfs mount.
    #[serde(skip_serializing_if = "empty")]
    pub tmpfs_options: Option<TmpfsOptions>,
}

/// Options of a bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BindOptions {
    /// How mounts travel between the container and the host.
    #[serde(skip_serializing_if = "empty")]
    pub propagation: String,
    /// Whether mounts below the source stay out.
    #[serde(skip_serializing_if = "empty")]
    pub non_recursive: bool,
    /// Whether a missing source is made.
    #[serde(skip_serializing_if = "empty")]
    pub create_mountpoint: bool,
    /// Whether mounts below a read-only one stay writable.
    #[serde(skip_serializing_if = "empty")]
    pub read_only_non_recursive: bool,
    /// Whether it is an error when mounts below cannot be made read-only.
    #[serde(skip_serializing_if = "empty")]
    pub read_only_force_recursive: bool,
}

/// Options of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeOptions {
    /// Whether a new volume stays empty.
    #[serde(skip_serializing_if = "empty")]
    pub no_copy: bool,
    /// Labels of a new volume.
    #[serde(skip_serializing_if = "empty")]
    pub labels: Labels,
    /// A path inside the volume.
    #[serde(skip_serializing_if = "empty")]
    pub subpath: String,
    /// The driver of a new volume.
    #[serde(skip_serializing_if = "empty")]
    pub driver_config: Option<Driver>,
}

/// Options of an image mount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageOptions {
    /// A path inside the image.
    #[serde(skip_serializing_if = "empty")]
    pub subpath: String,
}

/// Options of a tmpfs mount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TmpfsOptions {
    /// Its size.
    #[serde(skip_serializing_if = "empty")]
    pub size_bytes: i64,
    /// The mode of its root.
    #[serde(skip_serializing_if = "empty")]
    pub mode: u32,
    /// Further mount options.
    #[serde(skip_serializing_if = "empty")]
    pub options: Vec<Vec<String>>,
}

impl TryFrom<Mount> for model::Mount {
    type Error = Invalid;

    fn try_from(mount: Mount) -> Result<Self, Invalid> {
        let Mount {
            kind,
            source,
            target,
            read_only,
            consistency,
            bind_options,
            volume_options,
            image_options,
            tmpfs_options,
        } = mount;
        let kind = match kind.to_ascii_lowercase().as_str() {
            "" | "bind" => MountKind::Bind(bind(bind_options.unwrap_or_default())?),
            "volume" => MountKind::Volume(volume(volume_options.unwrap_or_default())),
            "tmpfs" => MountKind::Tmpfs(tmpfs(tmpfs_options.unwrap_or_default())?),
            "image" => MountKind::Image { subpath: image_options.unwrap_or_default().subpath },
            _ => {
                return Err(Invalid::because(format!(
                    "invalid MountType: {kind:?}: use bind, volume, tmpfs or image"
                )));
            }
        };
        Ok(Self { kind, source, target, read_only, consistency })
    }
}

fn bind(options: BindOptions) -> Result<model::BindOptions, Invalid> {
    let BindOptions {
        propagation,
        non_recursive,
        create_mountpoint,
        read_only_non_recursive,
        read_only_force_recursive,
    } = options;
    let propagation = propagation.to_ascii_lowercase();
    if !["", "private", "rprivate", "shared", "rshared", "slave", "rslave"].contains(&propagation.as_str()) {
        return Err(Invalid::because(format!("invalid MountPropagation: {propagation:?}")));
    }
    Ok(model::BindOptions {
        propagation,
        non_recursive,
        create_mountpoint,
        read_only_non_recursive,
        read_only_force_recursive,
    })
}

fn volume(VolumeOptions { no_copy, labels, subpath, driver_config }: VolumeOptions) -> model::VolumeOptions {
    let driver = driver_config.map(|Driver { name, options }| (name, options));
    model::VolumeOptions { no_copy, labels, subpath, driver }
}

fn tmpfs(TmpfsOptions { size_bytes, mode, options }: TmpfsOptions) -> Result<model::TmpfsOptions, Invalid> {
    let size_bytes = u64::try_from(size_bytes)
        .map_err(|_| Invalid::because(format!("invalid tmpfs size {size_bytes}: it cannot be negative")))?;
    Ok(model::TmpfsOptions { size_bytes, mode, options })
}

impl From<&model::Mount> for Mount {
    fn from(mount: &model::Mount) -> Self {
        let model::Mount { kind, source, target, read_only, consistency } = mount;
        let plain = Self {
            source: source.clone(),
            target: target.clone(),
            read_only: *read_only,
            consistency: consistency.clone(),
            ..Self::default()
        };
        match kind {
            MountKind::Bind(options) => {
                Self { kind: "bind".into(), bind_options: unless_empty(show_bind(options)), ..plain }
            }
            MountKind::Volume(options) => {
                Self { kind: "volume".into(), volume_options: unless_empty(show_volume(options)), ..plain }
            }
            MountKind::Tmpfs(options) => {
                Self { kind: "tmpfs".into(), tmpfs_options: unless_empty(show_tmpfs(options)), ..plain }
            }
            MountKind::Image { subpath } => {
                let options = ImageOptions { subpath: subpath.clone() };
                Self { kind: "image".into(), image_options: unless_empty(options), ..plain }
            }
        }
    }
}

fn unless_empty<T: Default + PartialEq>(options: T) -> Option<T> {
    (!empty(&options)).then_some(options)
}

fn show_bind(options: &model::BindOptions) -> BindOptions {
    let model::BindOptions {
        propagation,
        non_recursive,
        create_mountpoint,
        read_only_non_recursive,
        read_only_force_recursive,
    } = options;
    BindOptions {
        propagation: propagation.clone(),
        non_recursive: *non_recursive,
        create_mountpoint: *create_mountpoint,
        read_only_non_recursive: *read_only_non_recursive,
        read_only_force_recursive: *read_only_force_recursive,
    }
}

fn show_volume(
    model::VolumeOptions { no_copy, labels, subpath, driver }: &model::VolumeOptions,
) -> VolumeOptions {
    VolumeOptions {
        no_copy: *no_copy,
        labels: labels.clone(),
        subpath: subpath.clone(),
        driver_config: driver
            .as_ref()
            .map(|(name, options)| Driver { name: name.clone(), options: options.clone() }),
    }
}

fn show_tmpfs(model::TmpfsOptions { size_bytes, mode, options }: &model::TmpfsOptions) -> TmpfsOptions {
    TmpfsOptions {
        size_bytes: i64::try_from(*size_bytes).unwrap_or(i64::MAX),
        mode: *mode,
        options: options.clone(),
    }
}
