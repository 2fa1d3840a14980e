//! Devices of the host: which nodes a container gets, and what it may do with which.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use cgroup::{Access, DeviceKind as Kind, DeviceRule as Rule, Devices};

use crate::{Device, Spec};

/// What a container may do with devices beyond those it asks for: make any node, use the harmless ones.
const USUAL: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 10:200 rwm",
    "c 136:* rwm",
];
/// Device nodes of mounts that every container has of its own.
const OWN: &[&str] = &["pts", "shm", "mqueue", "fd", "console", "ptmx"];
/// Directories beneath a device directory are followed this far; `/dev` has three levels.
const DEPTH_MAX: usize = 8;

/// A device node to be made in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub target: PathBuf,
    pub kind: Kind,
    pub major: u32,
    pub minor: u32,
    /// The permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub access: Access,
}

/// Looks up the nodes a container gets beside the usual ones.
pub(crate) fn nodes(spec: &Spec) -> Result<Vec<Node>, String> {
    let mut found = Vec::new();
    if spec.privileged {
        gather(Path::new("/dev"), Path::new("/dev"), Access::ALL, 0, &mut found);
    }
    for device in &spec.devices {
        let wanted = asked_for(device)?;
        // Named twice, the later wish counts.
        found.retain(|node| wanted.iter().all(|other| other.target != node.target));
        found.extend(wanted);
    }
    Ok(found)
}

/// Returns what a container may do with devices.
pub(crate) fn allowed(spec: &Spec, nodes: &[Node]) -> Result<Devices, String> {
    if spec.privileged {
        return Ok(Devices::All);
    }
    let usual = USUAL.iter().map(|text| text.parse());
    let nodes = nodes.iter().map(|node| {
        let Node { kind, major, minor, access, .. } = *node;
        Ok(Rule { kind: Some(kind), major: Some(major), minor: Some(minor), access })
    });
    let rules = usual.chain(nodes).chain(spec.device_rules.iter().map(|text| text.parse()));
    Ok(Devices::Only(rules.collect::<Result<_, String>>()?))
}

/// Returns the nodes of one wish: one device, or all those of a directory.
fn asked_for(device: &Device) -> Result<Vec<Node>, String> {
    let Device { host, target, permissions } = device;
    let failed = |cause: &str| {
        format!("error gathering device information while adding custom device {:?}: {cause}", host.display())
    };
    let access = match permissions.as_str() {
        "" => Access::ALL,
        text => Access::parse(text).ok_or_else(|| failed(&format!("invalid device mode: {text}")))?,
    };
    let meta = fs::metadata(host).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("no such file or directory"),
        _ => failed(&error.to_string()),
    })?;
    if meta.is_dir() {
        let mut found = Vec::new();
        gather(host, target, access, 0, &mut found);
        return Ok(found);
    }
    node(&meta, target, access).map(|node| vec![node]).ok_or_else(|| failed("not a device node"))
}

/// Lists the device nodes below a directory; what cannot be read has none.
fn gather(dir: &Path, target: &Path, access: Access, depth: usize, found: &mut Vec<Node>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(meta) = entry.metadata() else { continue };
        if dir == Path::new("/dev") && OWN.iter().any(|own| name == *own) {
            continue;
        }
        let target = target.join(&name);
        if meta.is_dir() && depth < DEPTH_MAX {
            gather(&entry.path(), &target, access, depth + 1, found);
        } else {
            found.extend(node(&meta, &target, access));
        }
    }
}

fn node(meta: &fs::Metadata, target: &Path, access: Access) -> Option<Node> {
    let kind = match meta.file_type() {
        kind if kind.is_char_device() => Kind::Character,
        kind if kind.is_block_device() => Kind::Block,
        _ => return None,
    };
    Some(Node {
        target: target.to_owned(),
        kind,
        major: libc::major(meta.rdev()),
        minor: libc::minor(meta.rdev()),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(host: &str, target: &str, permissions: &str) -> Device {
        Device { host: host.into(), target: target.into(), permissions: permissions.into() }
    }

    #[test]
    fn usual_rules_can_be_read() {
        assert!(USUAL.iter().all(|text| text.parse::<Rule>().is_ok()));
    }

    #[test]
    fn device_of_the_host_becomes_a_node_and_a_rule() {
        let spec = Spec { devices: vec![device("/dev/null", "/dev/void", "r")], ..Spec::default() };

        let nodes = nodes(&spec).unwrap();

        let [node] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!(
            (node.target.to_str(), node.kind, node.major, node.minor),
            (Some("/dev/void"), Kind::Character, 1, 3)
        );
        let Devices::Only(rules) = allowed(&spec, &nodes).unwrap() else { panic!() };
        assert_eq!(rules.last().unwrap().to_string(), "c 1:3 r");
        assert_eq!(rules.len(), USUAL.len() + 1);
    }

    #[test]
    fn directory_of_devices_gives_all_of_them() {
        let spec = Spec { devices: vec![device("/dev", "/dev/all", "")], ..Spec::default() };

        let nodes = nodes(&spec).unwrap();

        assert!(nodes.iter().any(|node| node.target == Path::new("/dev/all/null")));
        assert!(nodes.iter().all(|node| !node.target.starts_with("/dev/all/pts")));
    }

    #[test]
    fn what_is_no_device_is_refused_in_dockers_words() {
        let refused = |device| nodes(&Spec { devices: vec![device], ..Spec::default() }).unwrap_err();
        let words = "error gathering device information while adding custom device";

        assert_eq!(
            refused(device("/dev/nothing", "/x", "")),
            format!("{words} \"/dev/nothing\": no such file or directory")
        );
        assert_eq!(
            refused(device("/etc/passwd", "/x", "")),
            format!("{words} \"/etc/passwd\": not a device node")
        );
        assert_eq!(
            refused(device("/dev/null", "/x", "rx")),
            format!("{words} \"/dev/null\": invalid device mode: rx")
        );
    }
}
