//! What a container finds mounted.

use model::{Mount, MountKind, TmpfsOptions, VolumeOptions};

use crate::field::required;
use crate::{Error, pb};

impl From<&Mount> for pb::Mount {
    fn from(mount: &Mount) -> Self {
        use pb::mount::Kind;
        let Mount { kind, source, target, read_only, consistency } = mount;
        let kind = match kind {
            MountKind::Bind(options) => Kind::Bind(options.into()),
            MountKind::Volume(options) => Kind::Volume(options.into()),
            MountKind::Tmpfs(options) => Kind::Tmpfs(options.into()),
            MountKind::Image { subpath } => Kind::Image(pb::ImageOptions { subpath: subpath.clone() }),
        };
        Self {
            kind: Some(kind),
            source: source.clone(),
            target: target.clone(),
            read_only: *read_only,
            consistency: consistency.clone(),
        }
    }
}

impl TryFrom<pb::Mount> for Mount {
    type Error = Error;

    fn try_from(mount: pb::Mount) -> Result<Self, Error> {
        use pb::mount::Kind;
        let pb::Mount { kind, source, target, read_only, consistency } = mount;
        let kind = match required(kind, "kind")? {
            Kind::Bind(options) => MountKind::Bind(options.into()),
            Kind::Volume(options) => MountKind::Volume(options.into()),
            Kind::Tmpfs(options) => MountKind::Tmpfs(options.into()),
            Kind::Image(pb::ImageOptions { subpath }) => MountKind::Image { subpath },
        };
        Ok(Self { kind, source, target, read_only, consistency })
    }
}

same!(BindOptions {
    propagation,
    non_recursive,
    create_mountpoint,
    read_only_non_recursive,
    read_only_force_recursive,
});

impl From<&VolumeOptions> for pb::VolumeOptions {
    fn from(options: &VolumeOptions) -> Self {
        let VolumeOptions { no_copy, labels, subpath, driver } = options;
        let driver = driver
            .as_ref()
            .map(|(name, options)| pb::VolumeDriver { name: name.clone(), options: options.clone() });
        Self { no_copy: *no_copy, labels: labels.clone(), subpath: subpath.clone(), driver }
    }
}

impl From<pb::VolumeOptions> for VolumeOptions {
    fn from(options: pb::VolumeOptions) -> Self {
        let pb::VolumeOptions { no_copy, labels, subpath, driver } = options;
        let driver = driver.map(|pb::VolumeDriver { name, options }| (name, options));
        Self { no_copy, labels, subpath, driver }
    }
}

impl From<&TmpfsOptions> for pb::TmpfsOptions {
    fn from(options: &TmpfsOptions) -> Self {
        let TmpfsOptions { size_bytes, mode, options } = options;
        let options =
            options.iter().map(|words| pb::tmpfs_options::Option { words: words.clone() }).collect();
        Self { size_bytes: *size_bytes, mode: *mode, options }
    }
}

impl From<pb::TmpfsOptions> for TmpfsOptions {
    fn from(options: pb::TmpfsOptions) -> Self {
        let pb::TmpfsOptions { size_bytes, mode, options } = options;
        let options = options.into_iter().map(|pb::tmpfs_options::Option { words }| words).collect();
        Self { size_bytes, mode, options }
    }
}
