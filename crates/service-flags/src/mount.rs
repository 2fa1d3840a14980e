//! `--mount`.

use engine_json::{BindOptions, Driver, ImageOptions, Mount, TmpfsOptions, VolumeOptions};
use format::size;

use crate::invalid::{Invalid, Result, refuse};
use crate::words;

/// Reads one `--mount`: `type=,source=,target=,…`.
pub(crate) fn parse(text: &str) -> Result<Mount> {
    let mut mount = Mount { kind: "volume".into(), ..Mount::default() };
    for field in words::commas(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim().to_ascii_lowercase(), Some(value)),
            None => (field.trim().to_ascii_lowercase(), None),
        };
        set(&mut mount, &key, value, &field)?;
    }
    check(&mount)?;
    Ok(mount)
}

fn set(mount: &mut Mount, key: &str, value: Option<&str>, field: &str) -> Result<()> {
    match (key, value) {
        ("readonly" | "ro", value) => mount.read_only = yes(key, value)?,
        ("volume-nocopy", value) => volume(mount).no_copy = yes(key, value)?,
        ("bind-nonrecursive", value) => bind(mount).non_recursive = yes(key, value)?,
        ("bind-create-mountpoint", value) => bind(mount).create_mountpoint = yes(key, value)?,
        (_, None) => return refuse(format!("invalid field '{field}' must be a key=value pair")),
        ("type", Some(value)) => mount.kind = value.to_ascii_lowercase(),
        ("source" | "src", Some(value)) => mount.source = value.to_owned(),
        ("target" | "dst" | "destination", Some(value)) => mount.target = value.to_owned(),
        ("consistency", Some(value)) => mount.consistency = value.to_ascii_lowercase(),
        ("bind-propagation", Some(value)) => bind(mount).propagation = value.to_ascii_lowercase(),
        ("bind-recursive", Some(value)) => recursive(bind(mount), value)?,
        ("volume-subpath", Some(value)) => volume(mount).subpath = value.to_owned(),
        ("volume-label", Some(value)) => {
            let (key, value) = value.split_once('=').unwrap_or((value, ""));
            volume(mount).labels.insert(key.to_owned(), value.to_owned());
        }
        ("volume-driver", Some(value)) => driver(mount).name = value.to_owned(),
        ("volume-opt", Some(value)) => {
            let (key, value) = value.split_once('=').unwrap_or((value, ""));
            driver(mount).options.insert(key.to_owned(), value.to_owned());
        }
        ("image-subpath", Some(value)) => {
            mount.image_options = Some(ImageOptions { subpath: value.to_owned() });
        }
        ("tmpfs-size", Some(value)) => {
            tmpfs(mount).size_bytes = size::parse(value)
                .map_err(|_| Invalid::because(format!("invalid value for {key}: {value}")))?;
        }
        ("tmpfs-mode", Some(value)) => {
            tmpfs(mount).mode = u32::from_str_radix(value, 8)
                .map_err(|_| Invalid::because(format!("invalid value for {key}: {value}")))?;
        }
        (key, Some(_)) => return refuse(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn yes(key: &str, value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => refuse(format!("invalid value for {key}: {other}")),
    }
}

fn recursive(options: &mut BindOptions, value: &str) -> Result<()> {
    match value {
        "enabled" => {}
        "disabled" => options.non_recursive = true,
        "writable" => options.read_only_non_recursive = true,
        "readonly" => options.read_only_force_recursive = true,
        other => {
            return refuse(format!(
                "invalid value for bind-recursive: {other}: must be enabled, disabled, writable or readonly"
            ));
        }
    }
    Ok(())
}

fn bind(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut VolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut Driver {
    volume(mount).driver_config.get_or_insert_default()
}

fn tmpfs(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

fn check(mount: &Mount) -> Result<()> {
    if mount.target.is_empty() {
        return refuse("target is required");
    }
    let kinds = ["bind", "volume", "tmpfs", "image"];
    if !kinds.contains(&mount.kind.as_str()) {
        return refuse(format!("invalid mount type {}: use bind, volume, tmpfs or image", mount.kind));
    }
    for (kind, has_options) in [
        ("bind", mount.bind_options.is_some()),
        ("volume", mount.volume_options.is_some()),
        ("tmpfs", mount.tmpfs_options.is_some()),
        ("image", mount.image_options.is_some()),
    ] {
        if has_options && kind != mount.kind {
            return refuse(format!("cannot mix '{kind}-*' options with mount type '{}'", mount.kind));
        }
    }
    match (mount.kind.as_str(), mount.source.is_empty()) {
        ("bind", true) => refuse("invalid mount: source is required for type bind"),
        ("tmpfs", false) => refuse("invalid mount: source is not possible for type tmpfs"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_read_as_in_docker() {
        for (text, json) in [
            ("target=/c", r#"{"Type":"volume","Target":"/c"}"#),
            (
                "type=bind,src=/a,dst=/b,readonly,bind-propagation=rshared",
                r#"{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rshared"}}"#,
            ),
            (
                "source=v,target=/v,volume-nocopy,volume-label=x=y,volume-driver=local,volume-opt=o=1",
                r#"{"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{"NoCopy":true,"Labels":{"x":"y"},"DriverConfig":{"Name":"local","Options":{"o":"1"}}}}"#,
            ),
            (
                "type=tmpfs,target=/t,tmpfs-size=10m,tmpfs-mode=1700",
                r#"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":10485760,"Mode":960}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&parse(text).unwrap()).unwrap(), json);
        }
        for (text, says) in [
            ("type=bind,target=/a", "source is required"),
            ("source=v", "target is required"),
            ("type=x,target=/a", "invalid mount type"),
            ("target=/a,what=1", "unexpected key 'what'"),
            ("target=/a,source", "key=value"),
            ("target=/a,tmpfs-size=1m", "cannot mix"),
            ("type=tmpfs,target=/a,tmpfs-mode=9", "tmpfs-mode"),
        ] {
            assert!(parse(text).unwrap_err().to_string().contains(says), "{text}");
        }
    }
}
