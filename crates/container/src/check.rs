//! What can be seen to be wrong with a spec before anything is made.

use shim::{MountKind, Spec};

use crate::Error;

/// Refuses what can be seen to be wrong before anything is made.
pub(crate) fn check(spec: &Spec) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::InvalidSpec { reason });
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if spec.id.is_empty() || spec.id.len() > 128 || spec.id.starts_with('.') || !spec.id.chars().all(is_plain)
    {
        return refuse(format!("id {:?} must be 1 to 128 letters, digits, `_`, `.` or `-`", spec.id));
    }
    if spec.args.is_empty() {
        return refuse("no command is given, and the image names none".into());
    }
    if spec.layers.is_empty() {
        return refuse("no layer is given; the root needs at least one directory".into());
    }
    let targets =
        spec.mounts.iter().map(|mount| &mount.target).chain(spec.files.iter().map(|file| &file.target));
    for target in targets {
        if !target.is_absolute() || target.components().count() == 1 {
            return refuse(format!("mount path {} must be absolute and not the root", target.display()));
        }
    }
    for mount in &spec.mounts {
        if let MountKind::Bind { source, .. } = &mount.kind
            && !source.exists()
        {
            return Err(Error::BindSource { path: source.clone() });
        }
    }
    shim::check(spec).or_else(refuse)
}
