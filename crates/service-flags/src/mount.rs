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
    fn what_no_task_could_have_is_refused() {
        for text in
            ["target=/c", "type=bind,src=/a,dst=/b", "type=tmpfs,target=/t", "type=image,src=i,dst=/i"]
        {
            assert!(parse(text).is_ok(), "{text}");
        }
        for (text, says) in [
            ("type=bind,target=/a", "source is required"),
            ("type=tmpfs,source=/x,target=/a", "source is not possible"),
            ("source=v", "target is required"),
            ("type=x,target=/a", "invalid mount type"),
        ] {
            assert!(parse(text).unwrap_err().to_string().contains(says), "{text}");
        }
    }
}
