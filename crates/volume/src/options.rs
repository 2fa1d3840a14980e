//! Options of the local driver: what is mounted where a volume's data is.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use crate::Error;

/// Refuses options that cannot be mounted.
pub(crate) fn check(name: &str, options: &BTreeMap<String, String>) -> Result<(), Error> {
    let bad = |reason: String| Err(Error::BadOption { name: name.to_owned(), reason });
    const NEEDS: &[(&str, &[&str])] =
        &[("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"])];
    for option in options.keys() {
        if option == "size" {
            return bad("quota size requested but no quota support".into());
        }
        if !NEEDS.iter().any(|(known, _)| known == option) {
            return bad(format!("invalid option: {option:?}"));
        }
    }
    for (option, needed) in NEEDS.iter().filter(|(option, _)| options.contains_key(*option)) {
        if let Some(missing) = needed.iter().find(|needed| !options.contains_key(**needed)) {
            tracing::debug!(option, missing, "an option needs another");
            return bad(format!("missing required option: {missing:?}"));
        }
    }
    Ok(())
}

/// Is what mount(2) is called with.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    device: String,
    kind: String,
    flags: MsFlags,
    /// Set by a call of its own, as the kernel wants it.
    propagation: MsFlags,
    data: String,
}

/// Mounts what the options say, unless something is mounted there.
pub(crate) fn mount_on(options: &BTreeMap<String, String>, path: &Path) -> Result<(), Error> {
    let Some(mut call) = parse(options) else { return Ok(()) };
    if is_mounted(path)? {
        return Ok(());
    }
    let failed = Error::mount(&call.device, path);
    resolve_address(&mut call).map_err(&failed)?;
    let Call { device, kind, flags, propagation, data } = &call;
    mount(Some(device.as_str()), path, Some(kind.as_str()), *flags, Some(data.as_str())).map_err(&failed)?;
    let settle = || {
        let nothing = None::<&str>;
        if flags.contains(MsFlags::MS_BIND) && !(*flags - MsFlags::MS_BIND - MsFlags::MS_REC).is_empty() {
            // Binding takes no other flag; they are for a second call.
            let flags = (*flags - MsFlags::MS_REC) | MsFlags::MS_REMOUNT;
            mount(nothing, path, nothing, flags, nothing)?;
        }
        if !propagation.is_empty() {
            mount(nothing, path, nothing, *propagation, nothing)?;
        }
        Ok(())
    };
    settle().map_err(failed).inspect_err(|_| {
        let _ = umount2(path, MntFlags::MNT_DETACH);
    })
}

/// Unmounts what is mounted there, if anything is; whoever has it open keeps it.
pub(crate) fn unmount_from(options: &BTreeMap<String, String>, path: &Path) -> Result<(), Error> {
    if !options.contains_key("device") || !is_mounted(path)? {
        return Ok(());
    }
    match umount2(path, MntFlags::MNT_DETACH) {
        Err(Errno::EINVAL) => Ok(()),
        result => result.map_err(|errno| Error::file("unmount", path)(errno.into())),
    }
}

/// Tells whether the last name of a path is a mount, and not merely in one.
fn is_mounted(path: &Path) -> Result<bool, Error> {
    let failed = |errno: Errno| Error::file("look at", path)(errno.into());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let parent: OwnedFd = open(parent, flags, Mode::empty()).map_err(failed)?;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_XDEV);
    match openat2(&parent, name, how) {
        Ok(_) => Ok(false),
        Err(Errno::EXDEV) => Ok(true),
        Err(errno) => Err(failed(errno)),
    }
}

fn parse(options: &BTreeMap<String, String>) -> Option<Call> {
    let device = options.get("device")?.clone();
    let kind = options.get("type").cloned().unwrap_or_default();
    let (mut flags, mut propagation, mut data) = (MsFlags::empty(), MsFlags::empty(), Vec::new());
    for option in options.get("o").map_or("", String::as_str).split(',').filter(|option| !option.is_empty()) {
        if let Some((_, on, off)) = FLAGS.iter().find(|(name, ..)| *name == option) {
            flags = (flags | *on) - *off;
        } else if let Some((_, way)) = PROPAGATION.iter().find(|(name, _)| *name == option) {
            propagation = *way;
        } else {
            data.push(option);
        }
    }
    Some(Call { device, kind, flags, propagation, data: data.join(",") })
}

/// Options that mount(2) takes as bits: which they set, and which they clear.
const FLAGS: &[(&str, MsFlags, MsFlags)] = {
    const NONE: MsFlags = MsFlags::empty();
    &[
        ("defaults", NONE, NONE),
        ("ro", MsFlags::MS_RDONLY, NONE),
        ("rw", NONE, MsFlags::MS_RDONLY),
        ("nosuid", MsFlags::MS_NOSUID, NONE),
        ("suid", NONE, MsFlags::MS_NOSUID),
        ("nodev", MsFlags::MS_NODEV, NONE),
        ("dev", NONE, MsFlags::MS_NODEV),
        ("noexec", MsFlags::MS_NOEXEC, NONE),
        ("exec", NONE, MsFlags::MS_NOEXEC),
        ("sync", MsFlags::MS_SYNCHRONOUS, NONE),
        ("async", NONE, MsFlags::MS_SYNCHRONOUS),
        ("dirsync", MsFlags::MS_DIRSYNC, NONE),
        ("noatime", MsFlags::MS_NOATIME, NONE),
        ("atime", NONE, MsFlags::MS_NOATIME),
        ("nodiratime", MsFlags::MS_NODIRATIME, NONE),
        ("diratime", NONE, MsFlags::MS_NODIRATIME),
        ("relatime", MsFlags::MS_RELATIME, NONE),
        ("norelatime", NONE, MsFlags::MS_RELATIME),
        ("strictatime", MsFlags::MS_STRICTATIME, NONE),
        ("bind", MsFlags::MS_BIND, NONE),
        ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC), NONE),
    ]
};
const PROPAGATION: &[(&str, MsFlags)] = &[
    ("private", MsFlags::MS_PRIVATE),
    ("rprivate", MsFlags::MS_PRIVATE.union(MsFlags::MS_REC)),
    ("shared", MsFlags::MS_SHARED),
    ("rshared", MsFlags::MS_SHARED.union(MsFlags::MS_REC)),
    ("slave", MsFlags::MS_SLAVE),
    ("rslave", MsFlags::MS_SLAVE.union(MsFlags::MS_REC)),
];

/// Network filesystems want numbers where users write names.
fn resolve_address(call: &mut Call) -> nix::Result<()> {
    if !matches!(call.kind.as_str(), "nfs" | "nfs4" | "cifs") {
        return Ok(());
    }
    let mut options: Vec<String> = call.data.split(',').map(str::to_owned).collect();
    for option in &mut options {
        let Some(host) = option.strip_prefix("addr=").filter(|host| host.parse::<IpAddr>().is_err()) else {
            continue;
        };
        let found = (host, 0).to_socket_addrs().ok().and_then(|mut found| found.next());
        *option = format!("addr={}", found.ok_or(Errno::EHOSTUNREACH)?.ip());
    }
    call.data = options.join(",");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> BTreeMap<String, String> {
        let pair = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        text.split_whitespace().filter_map(pair).collect()
    }

    #[test]
    fn options_are_checked_as_docker_does() {
        let cases = [
            ("", None),
            ("type=tmpfs device=tmpfs", None),
            ("type=tmpfs device=tmpfs o=size=1m,ro", None),
            ("type=tmpfs", Some("create v: missing required option: \"device\"")),
            ("device=/x", Some("create v: missing required option: \"type\"")),
            ("o=bind device=/x", Some("create v: missing required option: \"type\"")),
            ("mode=7", Some("create v: invalid option: \"mode\"")),
            ("size=1g", Some("create v: quota size requested but no quota support")),
        ];
        for (text, expected) in cases {
            let found = check("v", &options(text)).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn words_become_flags_and_the_rest_is_data() {
        let call = parse(&options("type=none device=/x o=rbind,ro,rshared,size=1m,nosuid,suid")).unwrap();
        let expected = Call {
            device: "/x".into(),
            kind: "none".into(),
            flags: MsFlags::MS_BIND | MsFlags::MS_REC | MsFlags::MS_RDONLY,
            propagation: MsFlags::MS_SHARED | MsFlags::MS_REC,
            data: "size=1m".into(),
        };
        assert_eq!(call, expected);
        assert_eq!(parse(&options("")), None);
    }

    #[test]
    fn names_of_servers_become_addresses() {
        let mut call = parse(&options("type=nfs device=:/export o=addr=localhost,rw,nolock")).unwrap();
        resolve_address(&mut call).unwrap();
        assert!(["addr=127.0.0.1,nolock", "addr=::1,nolock"].contains(&call.data.as_str()), "{}", call.data);
    }
}
