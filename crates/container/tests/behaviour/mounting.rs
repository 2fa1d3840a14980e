//! Where mounts go, and where they cannot.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use container::{FileInRoot, Mount, MountKind, Propagation, Spec, Submounts};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::host::{Host, eventually};

fn bind(source: &Path, target: &str) -> Mount {
    Mount { target: target.into(), kind: MountKind::bind(source), read_only: false }
}

fn with(source: &Path, target: &str, propagation: Propagation, submounts: Submounts) -> Mount {
    let kind = MountKind::Bind { source: source.into(), subpath: None, propagation, submounts };
    Mount { target: target.into(), kind, read_only: false }
}

fn tmpfs(target: &str, options: &[&str]) -> Mount {
    let options = options.iter().map(|option| option.to_string()).collect();
    Mount {
        target: target.into(),
        kind: MountKind::Tmpfs { size_bytes: None, mode: None, options },
        read_only: false,
    }
}

/// Makes a directory with a file in it.
fn dir(host: &Host, name: &str) -> PathBuf {
    let dir = host.dir.path().join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("file"), format!("{name}\n")).unwrap();
    dir
}

/// A tmpfs on the host, gone with the test.
struct OnHost(PathBuf);

impl OnHost {
    fn new(path: &Path, flags: MsFlags) -> OnHost {
        fs::create_dir_all(path).unwrap();
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        mount(None::<&str>, path, None::<&str>, flags, None::<&str>).unwrap();
        OnHost(path.to_owned())
    }
}

impl Drop for OnHost {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

pub fn mounts_nest_in_any_order(host: &Host) {
    let (outer, inner) = (dir(host, "outer"), dir(host, "inner"));
    fs::write(host.dir.path().join("single"), "single\n").unwrap();
    let mounts = vec![
        bind(&host.dir.path().join("single"), "/a/b/file"),
        tmpfs("/a/b/c", &[]),
        bind(&inner, "/a/b"),
        bind(&outer, "/a"),
        bind(&host.dir.path().join("single"), "/etc/passwd"),
    ];
    let script = "cat /a/file /a/b/file /etc/passwd; grep -c '/a/b/c tmpfs' /proc/mounts";

    let (_, said) = host.output(&Spec { mounts, ..host.script("nested", script) });

    assert_eq!(said, "outer\nsingle\nsingle\n1\n");
}

pub fn links_of_the_image_lead_mounts_inside(host: &Host) {
    let (image, volume) = (dir(host, "image"), dir(host, "volume"));
    let outside = dir(host, "outside");
    symlink("/srv/real", image.join("alias")).unwrap();
    symlink("../../../../../../srv/up", image.join("up")).unwrap();
    symlink(&outside, image.join("out")).unwrap();
    symlink("/loop", image.join("loop")).unwrap();
    let mounts = vec![bind(&volume, "/alias/data"), bind(&volume, "/up"), bind(&volume, "/out/deep")];
    let script = format!("cat /srv/real/data/file /srv/up/file {}/deep/file", outside.display());
    let mut spec = Spec { mounts, ..host.script("linked", &script) };
    spec.layers.insert(0, image);

    let (_, said) = host.output(&spec);

    assert_eq!(said, "volume\nvolume\nvolume\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    let looped = Spec { id: "looped".into(), mounts: vec![bind(&volume, "/loop/x")], ..spec };
    let refused = host.runtime.block_on(host.handle().create(&looped)).unwrap_err().to_string();
    assert!(refused.contains("/loop/x"), "{refused}");
}

pub fn subpath_cannot_leave_its_volume(host: &Host) {
    let volume = dir(host, "volume");
    fs::create_dir_all(volume.join("inner/deep")).unwrap();
    fs::write(volume.join("inner/deep/file"), "deep\n").unwrap();
    symlink("inner/deep", volume.join("inside")).unwrap();
    symlink("/etc", volume.join("absolute")).unwrap();
    symlink("../..", volume.join("upwards")).unwrap();
    let spec = |subpath: &str| {
        let kind = MountKind::Bind {
            source: volume.clone(),
            subpath: Some(subpath.into()),
            propagation: Propagation::Private,
            submounts: Submounts::Included,
        };
        let mounts = vec![Mount { target: "/data".into(), kind, read_only: true }];
        Spec {
            mounts,
            ..host.script(
                &format!("sub{}", subpath.replace(['/', '.'], "-")),
                "cat /data/file /data; touch /data/x",
            )
        }
    };

    for inside in ["inner/deep", "inside", "inner/../inside"] {
        let (_, said) = host.output(&spec(inside));
        assert!(said.starts_with("deep\n") && said.contains("Read-only"), "{inside}: {said}");
    }
    for outside in ["absolute", "upwards", "..", "inner/../../..", "/etc", "missing"] {
        let refused = host.runtime.block_on(host.handle().create(&spec(outside))).unwrap_err().to_string();
        assert!(refused.contains("subpath"), "{outside}: {refused}");
    }
}

pub fn link_swapped_meanwhile_leads_nowhere_outside(host: &Host) {
    let volume = dir(host, "volume");
    let secret = dir(host, "secret");
    fs::create_dir(volume.join("real")).unwrap();
    fs::write(volume.join("real/file"), "own\n").unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stopped, top) = (stop.clone(), volume.clone());
    let swapping = std::thread::spawn(move || {
        symlink("real", top.join("good")).unwrap();
        symlink(&secret, top.join("bad")).unwrap();
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            for name in ["good", "bad"] {
                let _ = fs::remove_file(top.join("new"));
                fs::hard_link(top.join(name), top.join("new")).unwrap();
                fs::rename(top.join("new"), top.join("data")).unwrap();
            }
        }
    });
    eventually(|| volume.join("data").symlink_metadata().is_ok());

    for number in 0..20 {
        let kind = MountKind::Bind {
            source: volume.clone(),
            subpath: Some("data".into()),
            propagation: Propagation::Private,
            submounts: Submounts::Included,
        };
        let mounts = vec![Mount { target: "/data".into(), kind, read_only: false }];
        let spec = Spec { mounts, ..host.script(&format!("race{number}"), "cat /data/file") };
        if host.runtime.block_on(host.handle().create(&spec)).is_ok() {
            host.runtime.block_on(host.handle().start(&spec.id)).unwrap();
            host.wait(&spec.id);
            assert_eq!(host.said(&spec.id), "own\n");
        }
    }

    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.join().unwrap();
}

pub fn options_of_a_tmpfs_are_kept(host: &Host) {
    let mounts = vec![
        tmpfs("/plain", &[]),
        tmpfs("/own", &["size=64k", "uid=33", "gid=34", "mode=0750", "exec"]),
        Mount { read_only: true, ..tmpfs("/fixed", &[]) },
    ];
    let script = "stat -c '%u %g %a' /plain /own; for d in plain own fixed; do grep \" /$d \" /proc/mounts; done; \
        dd if=/dev/zero of=/own/big bs=100k count=1 2>&1 | grep -c 'No space'; touch /fixed/x";

    let (_, said) = host.output(&Spec { mounts, read_only: true, ..host.script("memory", script) });

    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(&lines[..2], ["0 0 1777", "33 34 750"], "{said}");
    assert!(lines[2].contains("rw,nosuid,nodev,noexec"), "{said}");
    assert!(
        lines[3].contains("rw,nosuid,nodev,")
            && !lines[3].contains("noexec")
            && lines[3].contains("size=64k"),
        "{said}"
    );
    assert!(lines[4].contains("ro,nosuid,nodev,noexec"), "{said}");
    assert_eq!((lines[5], lines[6]), ("1", "touch: /fixed/x: Read-only file system"));
}

pub fn mounts_below_a_bind_come_along_as_asked(host: &Host) {
    let volume = dir(host, "volume");
    let _below = OnHost::new(&volume.join("below"), MsFlags::MS_PRIVATE);
    fs::write(volume.join("below/file"), "below\n").unwrap();
    let mounts =
        [("/whole", Submounts::Included), ("/writable", Submounts::Writable), ("/top", Submounts::Excluded)];
    let mounts = mounts.map(|(target, submounts)| Mount {
        read_only: true,
        ..with(&volume, target, Propagation::Private, submounts)
    });
    let script =
        "for d in whole writable top; do cat /$d/below/file; touch /$d/x /$d/below/$d && echo wrote; done";

    let (_, said) = host.output(&Spec { mounts: mounts.into(), ..host.script("below", script) });

    let refused = said.matches("Read-only file system").count();
    assert!(said.starts_with("below\n") && refused == 5, "{refused} {said}");
    let below: Vec<_> =
        fs::read_dir(volume.join("below")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        below.iter().any(|name| name == "writable") && !below.iter().any(|name| name == "whole"),
        "{below:?} {said}"
    );
    assert!(said.contains("'/top/below/file': No such file"), "{said}");
}

pub fn later_mounts_cross_as_asked(host: &Host) {
    let shared = host.dir.path().join("shared");
    let _shared = OnHost::new(&shared, MsFlags::MS_SHARED);
    for name in ["from-host", "from-container"] {
        fs::create_dir(shared.join(name)).unwrap();
    }
    let mounts = [
        ("/private", Propagation::Private),
        ("/slave", Propagation::Slave),
        ("/shared", Propagation::Shared),
    ];
    let mounts = mounts.map(|(target, propagation)| with(&shared, target, propagation, Submounts::Included));
    let script = "mount() { busybox mount -t tmpfs own $1/from-container; }; echo ready; \
        while ! test -e /shared/from-host/seen; do sleep 0.01; done; \
        for d in private slave shared; do test -e /$d/from-host/seen && echo seen in $d; done; \
        mount /private; mount /slave; test -e /shared/from-container/x || echo kept; mount /shared; touch /shared/from-container/x; echo mounted; sleep 1000";
    let spec = Spec { mounts: mounts.into(), privileged: true, ..host.script("passing", script) };
    host.run(&spec);
    host.await_said("passing", "ready");

    let _seen = OnHost::new(&shared.join("from-host"), MsFlags::MS_SHARED);
    fs::write(shared.join("from-host/seen"), "").unwrap();
    host.await_said("passing", "mounted");

    assert_eq!(host.said("passing"), "ready\nseen in slave\nseen in shared\nkept\nmounted\n");
    assert!(shared.join("from-container/x").exists());
    let _ = umount2(&shared.join("from-container"), MntFlags::MNT_DETACH);
    host.remove("passing");
}

pub fn kernel_file_systems_can_be_mounted_over(host: &Host) {
    let volume = dir(host, "volume");
    let file = volume.join("file");
    let mounts = vec![
        bind(&file, "/proc/cpuinfo"),
        bind(&file, "/dev/own/file"),
        bind(&file, "/dev/full"),
        tmpfs("/sys/fs/cgroup", &[]),
    ];
    let script =
        "cat /proc/cpuinfo /dev/own/file /dev/full; ls /sys/fs/cgroup; echo x > /dev/null && echo fine";
    let (_, said) = host.output(&Spec { mounts, ..host.script("over", script) });
    assert_eq!(said, "volume\nvolume\nvolume\nfine\n");

    // All of the host's devices: what a container fills is not the host's.
    let before = fs::read_link("/dev/ptmx").ok();
    let spec = Spec {
        mounts: vec![bind(Path::new("/dev"), "/dev")],
        privileged: true,
        ..host.script("devices", "test -e /dev/kmsg && echo all")
    };
    assert_eq!(host.output(&spec).1, "all\n");
    assert_eq!(fs::read_link("/dev/ptmx").ok(), before);
}

pub fn mount_of_the_user_wins_over_a_small_file(host: &Host) {
    let own = dir(host, "own").join("file");
    let file = |target: &str| FileInRoot {
        target: target.into(),
        contents: "given\n".into(),
        mode: 0o644,
        read_only: true,
    };
    let volume = dir(host, "etc");
    let spec = host.script("names", "cat /etc/hosts /etc/resolv.conf /etc/file; echo x >> /etc/resolv.conf");

    let mounts = vec![bind(&own, "/etc/hosts"), bind(&volume, "/etc")];
    let (_, said) =
        host.output(&Spec { mounts, files: vec![file("/etc/hosts"), file("/etc/resolv.conf")], ..spec });

    assert!(said.starts_with("own\ngiven\netc\n") && said.contains("Read-only"), "{said}");
}

pub fn directory_does_not_fit_a_file(host: &Host) {
    let volume = dir(host, "volume");
    let spec = Spec { mounts: vec![bind(&volume, "/etc/passwd")], ..host.script("unfit", "true") };

    let refused = host.runtime.block_on(host.handle().create(&spec)).unwrap_err().to_string();

    assert!(
        refused.contains("/etc/passwd") && refused.to_lowercase().contains("not a directory"),
        "{refused}"
    );
    host.assert_clean();
}
