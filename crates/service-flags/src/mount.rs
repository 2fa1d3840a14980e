//! `--mount` of services.

use engine_json::Mount;
use flags::{Result, refuse};

/// Reads one `--mount`; a service refuses more before its tasks would.
pub(crate) fn parse(text: &str) -> Result<Mount> {
    let mount = flags::mount::parse(text)?;
    check(&mount)?;
    Ok(mount)
}

fn check(mount: &Mount) -> Result<()> {
    match (mount.kind.as_str(), mount.source.is_empty()) {
        ("bind", true) => refuse("invalid mount: source is required for type bind"),
        ("tmpfs", false) => refuse("invalid mount: source is not possible for type tmpfs"),
        ("bind" | "volume" | "tmpfs" | "image", _) => Ok(()),
        (kind, _) => refuse(format!("invalid mount type {kind}: use bind, volume, tmpfs or image")),
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
