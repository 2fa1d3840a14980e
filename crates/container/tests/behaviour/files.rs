//! A container's files, looked at from outside.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use container::{ChangeKind, FileInRoot, Mount, MountKind, Spec};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

use crate::host::Host;

fn open(root: &File, path: &str, flags: OFlag) -> nix::Result<File> {
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let how = if flags.contains(OFlag::O_CREAT) { how.mode(Mode::from_bits_truncate(0o644)) } else { how };
    openat2(root, Path::new(path), how).map(File::from)
}

fn read(root: &File, path: &str) -> String {
    let mut text = String::new();
    match open(root, path, OFlag::O_RDONLY) {
        Ok(mut file) => file.read_to_string(&mut text).map(|_| text).unwrap(),
        Err(errno) => errno.to_string(),
    }
}

/// Visits a container's root.
fn visit<T: Send + 'static>(host: &Host, id: &str, visit: impl FnOnce(&File) -> T + Send + 'static) -> T {
    host.runtime.block_on(host.handle().visit_root(id, visit)).unwrap()
}

pub fn root_is_visited_running_and_not(host: &Host) {
    let volume = host.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("data"), "held").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", volume.join("out")).unwrap();
    let mounts = vec![Mount { target: "/vol".into(), kind: MountKind::bind(&volume), read_only: false }];
    let hosts =
        FileInRoot { target: "/etc/hosts".into(), contents: "names".into(), mode: 0o644, read_only: false };
    let script = "echo mine > /mine; echo written; sleep 1000";
    let spec = Spec { mounts, files: vec![hosts], ..host.script("seen", script) };
    let table = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = table();
    let look = |root: &File| {
        let inside =
            ["/mine", "/vol/data", "/vol/out", "/etc/hosts", "/../../etc/hosts"].map(|path| read(root, path));
        (inside, open(root, "/vol/new", OFlag::O_CREAT | OFlag::O_WRONLY).is_ok())
    };
    let expected = |mine: &str| {
        let none = nix::errno::Errno::ENOENT.to_string();
        ([mine.to_owned(), "held".into(), none, "names".into(), "names".into()], true)
    };
    let containers = host.handle();
    host.runtime.block_on(containers.create(&spec)).unwrap();

    let parked = visit(host, "seen", look);
    host.runtime.block_on(containers.start("seen")).unwrap();
    host.await_said("seen", "written");
    let running = visit(host, "seen", look);
    host.runtime.block_on(containers.pause("seen")).unwrap();
    let paused = visit(host, "seen", look);
    host.runtime.block_on(containers.signal("seen", container::Signal::KILL)).unwrap();
    host.wait("seen");
    let ended = visit(host, "seen", look);
    host.reopen();
    let adopted = visit(host, "seen", look);

    assert_eq!(parked, expected(&nix::errno::Errno::ENOENT.to_string()));
    for seen in [running, paused, ended, adopted] {
        assert_eq!(seen, expected("mine\n"));
    }
    assert!(volume.join("new").exists());
    assert_eq!(table(), mounted);
}

pub fn visits_of_a_container_at_rest_change_it_and_keep_starts_away(host: &Host) {
    host.output(&host.script("seen", "cat /from-outside; true"));
    let containers = host.handle();
    let visits = (0..4).map(|number| {
        let containers = containers.clone();
        host.runtime.spawn(async move {
            let write = move |root: &File| {
                open(root, &format!("/file{number}"), OFlag::O_CREAT | OFlag::O_WRONLY).is_ok()
            };
            containers.visit_root("seen", write).await.unwrap()
        })
    });
    for visit in visits.collect::<Vec<_>>() {
        assert!(host.runtime.block_on(visit).unwrap());
    }
    let (entered, has_entered) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    let visiting = containers.clone();
    let slow = host.runtime.spawn(async move {
        let stay = move |root: &File| {
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
            use std::io::Write;
            open(root, "/from-outside", OFlag::O_CREAT | OFlag::O_WRONLY)
                .unwrap()
                .write_all(b"late")
                .unwrap();
        };
        visiting.visit_root("seen", stay).await.unwrap();
    });
    has_entered.recv().unwrap();
    let starting = containers.clone();
    let start = host.runtime.spawn(async move { starting.start("seen").await });
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!start.is_finished());
    leave.send(()).unwrap();
    host.runtime.block_on(slow).unwrap();
    host.runtime.block_on(start).unwrap().unwrap();
    host.wait("seen");

    assert!(host.said("seen").ends_with("late"), "{}", host.said("seen"));
    let upper = host.dir.path().join("root/seen/upper");
    assert!((0..4).all(|number| upper.join(format!("file{number}")).exists()));
}

pub fn panic_of_a_visitor_reaches_its_caller_and_leaves_nothing(host: &Host) {
    host.output(&host.script("seen", "true"));
    let containers = host.handle();

    let visit = async move { containers.visit_root("seen", |_: &File| -> () { panic!("on purpose") }).await };
    let joined = host.runtime.block_on(host.runtime.spawn(visit));

    assert!(joined.unwrap_err().is_panic());
    visit_again(host);
}

fn visit_again(host: &Host) {
    assert!(visit(host, "seen", |root| open(root, "/bin/sh", OFlag::O_PATH).is_ok()));
}

pub fn changes_are_those_of_docker_diff(host: &Host) {
    let extra = host.dir.path().join("extra");
    for dir in ["srv/whole", "srv/kept", "gone", "replaced"] {
        fs::create_dir_all(extra.join(dir)).unwrap();
        fs::write(extra.join(dir).join("file"), "of the image").unwrap();
    }
    fs::write(extra.join("srv/kept/second"), "x").unwrap();
    let script = "echo new > /srv/kept/third; rm /srv/kept/second; rm -r /gone; echo more >> /srv/whole/file; \
        rm -r /replaced; mkdir /replaced; echo x > /replaced/own; mkdir -p /made/deep; chmod 700 /tmp; \
        echo x > /not-here; rm /not-here; echo volume > /vol/file; : > /made-b; cat /srv/kept/file";
    let volume = host.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let mounts = vec![Mount { target: "/vol".into(), kind: MountKind::bind(&volume), read_only: false }];
    let mut spec = Spec {
        mounts,
        ..host.script(
            "changed",
            &script
                .replace("rm ", "busybox rm ")
                .replace("mkdir ", "busybox mkdir ")
                .replace("chmod", "busybox chmod"),
        )
    };
    spec.layers.insert(0, extra);
    host.output(&spec);

    let changes = host.runtime.block_on(host.handle().changes("changed")).unwrap();
    let bytes = host.runtime.block_on(host.handle().writable_bytes("changed")).unwrap();

    let letter = |kind| match kind {
        ChangeKind::Modified => "C",
        ChangeKind::Added => "A",
        ChangeKind::Deleted => "D",
    };
    let lines: Vec<String> =
        changes.iter().map(|c| format!("{} {}", letter(c.kind), c.path.display())).collect();
    assert_eq!(
        lines,
        [
            "D /gone",
            "A /made",
            "A /made-b",
            "A /made/deep",
            "C /replaced",
            "D /replaced/file",
            "A /replaced/own",
            "C /srv",
            "C /srv/kept",
            "D /srv/kept/second",
            "A /srv/kept/third",
            "C /srv/whole",
            "C /srv/whole/file",
            "C /tmp",
            "A /vol",
        ]
    );
    assert_eq!(bytes, ("new\n".len() + "of the imagemore\n".len() + "x\n".len()) as u64);
}
