//! Mounts as objects, the form of `--mount`.

use engine_json::{Driver, Mount as Written};

use super::{Making, Mount, Source, Submounts, target_of};
use crate::Error;

const PROPAGATIONS: &[&str] = &["", "private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// Reads one entry of `Mounts`.
pub(super) fn parse(written: &Written) -> Result<Mount, Error> {
    let refuse = |reason: &str| {
        Error::invalid(format!("invalid mount config for type \"{}\": {reason}", written.kind))
    };
    if written.target.is_empty() {
        return Err(refuse("field Target must not be empty"));
    }
    let target = target_of(&written.target).map_err(|reason| refuse(&reason))?;
    let source = match written.kind.as_str() {
        "bind" => bind(written),
        "volume" => volume(written),
        "tmpfs" => tmpfs(written),
        "image" => Err("mounts of images are not supported: use a volume, or copy with `docker cp`"),
        _ => Err("mount type unknown"),
    };
    let source = source.map_err(refuse)?;
    let mode = if written.kind == "volume" { "z" } else { "" };
    Ok(Mount { target, source, read_only: written.read_only, mode: mode.to_owned() })
}

fn bind(written: &Written) -> Result<Source, &'static str> {
    if written.volume_options.is_some() {
        return Err("field VolumeOptions must not be specified");
    }
    if written.tmpfs_options.is_some() {
        return Err("field TmpfsOptions must not be specified");
    }
    if written.source.is_empty() {
        return Err("field Source must not be empty");
    }
    if !written.source.starts_with('/') {
        return Err("invalid mount path: the source must be absolute");
    }
    let options = written.bind_options.clone().unwrap_or_default();
    if !PROPAGATIONS.contains(&options.propagation.as_str()) {
        return Err("invalid propagation mode");
    }
    if options.read_only_force_recursive && !written.read_only {
        return Err("mount must be read-only to be forced to be so recursively");
    }
    let submounts = match (options.non_recursive, options.read_only_non_recursive) {
        (true, _) => Submounts::Excluded,
        (false, true) => Submounts::Writable,
        (false, false) => Submounts::Included,
    };
    Ok(Source::Bind {
        path: super::clean(&written.source),
        propagation: options.propagation,
        submounts,
        is_made: options.create_mountpoint,
    })
}

fn volume(written: &Written) -> Result<Source, &'static str> {
    if written.bind_options.is_some() {
        return Err("field BindOptions must not be specified");
    }
    if written.tmpfs_options.is_some() {
        return Err("field TmpfsOptions must not be specified");
    }
    let options = written.volume_options.clone().unwrap_or_default();
    if written.source.is_empty() && !options.subpath.is_empty() {
        return Err("must not set Subpath when using anonymous volumes");
    }
    if options.subpath.starts_with('/') || options.subpath.split('/').any(|part| part == "..") {
        return Err("subpath must be a relative path within the volume");
    }
    let Driver { name: driver, options: driver_options } = options.driver_config.unwrap_or_default();
    Ok(Source::Volume {
        name: written.source.clone(),
        is_anonymous: written.source.is_empty(),
        subpath: options.subpath,
        is_filled: !options.no_copy,
        making: Making { driver, options: driver_options, labels: options.labels },
    })
}

fn tmpfs(written: &Written) -> Result<Source, &'static str> {
    if written.bind_options.is_some() {
        return Err("field BindOptions must not be specified");
    }
    if written.volume_options.is_some() {
        return Err("field VolumeOptions must not be specified");
    }
    if !written.source.is_empty() {
        return Err("field Source must not be specified");
    }
    let options = written.tmpfs_options.clone().unwrap_or_default();
    let size = u64::try_from(options.size_bytes).map_err(|_| "the size must not be negative")?;
    Ok(Source::Tmpfs {
        size_bytes: (size != 0).then_some(size),
        mode: (options.mode != 0).then_some(options.mode),
        options: options.options.iter().map(|words| words.join("=")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use engine_json::{BindOptions, TmpfsOptions, VolumeOptions};

    use super::*;

    fn written(kind: &str, source: &str, target: &str) -> Written {
        Written { kind: kind.into(), source: source.into(), target: target.into(), ..Written::default() }
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        let bind_options = Some(BindOptions::default());
        let volume_options = Some(VolumeOptions::default());
        let subpath =
            |subpath: &str| Some(VolumeOptions { subpath: subpath.into(), ..VolumeOptions::default() });
        for (mount, reason) in [
            (written("bind", "/a", ""), "field Target must not be empty"),
            (written("bind", "/a", "b"), "invalid mount path: 'b' mount path must be absolute"),
            (written("bind", "", "/b"), "field Source must not be empty"),
            (
                Written { volume_options: volume_options.clone(), ..written("bind", "/a", "/b") },
                "field VolumeOptions must not be specified",
            ),
            (
                Written { bind_options, ..written("volume", "v", "/b") },
                "field BindOptions must not be specified",
            ),
            (written("tmpfs", "x", "/b"), "field Source must not be specified"),
            (written("pipe", "x", "/b"), "mount type unknown"),
            (
                Written { volume_options: subpath("x"), ..written("volume", "", "/b") },
                "must not set Subpath when using anonymous volumes",
            ),
            (
                Written { volume_options: subpath("../x"), ..written("volume", "v", "/b") },
                "subpath must be a relative path within the volume",
            ),
        ] {
            let said = parse(&mount).unwrap_err();
            assert_eq!(said.text(), format!("invalid mount config for type \"{}\": {reason}", mount.kind));
        }
    }

    #[test]
    fn options_are_kept() {
        let bind_options = Some(BindOptions { read_only_non_recursive: true, ..BindOptions::default() });
        let bind = parse(&Written { bind_options, read_only: true, ..written("bind", "/a/", "/b") }).unwrap();
        let tmpfs_options =
            Some(TmpfsOptions { size_bytes: 5, mode: 0o700, options: vec![vec!["exec".into()]] });
        let tmpfs = parse(&Written { tmpfs_options, ..written("tmpfs", "", "/t") }).unwrap();
        let volume = parse(&written("volume", "", "/v")).unwrap();

        assert!(bind.read_only);
        assert!(matches!(
            bind.source,
            Source::Bind { path, submounts: Submounts::Writable, is_made: false, .. } if path == "/a"
        ));
        assert_eq!(
            tmpfs.source,
            Source::Tmpfs { size_bytes: Some(5), mode: Some(0o700), options: vec!["exec".into()] }
        );
        assert!(matches!(volume.source, Source::Volume { is_anonymous: true, is_filled: true, .. }));
    }
}
