//! What a container cannot do, tried from inside.

use std::collections::BTreeMap;
use std::fs;

use container::{Device, Mount, MountKind, Seccomp, Spec};

use crate::host::{Host, host_libraries};

/// A spec that runs this binary's probe; it needs the libraries of the host.
fn probe(host: &Host, id: &str) -> Spec {
    let own = MountKind::bind(std::env::current_exe().unwrap());
    let mut mounts = host_libraries();
    mounts.push(Mount { target: "/probe".into(), kind: own, read_only: true });
    let mut spec = host.script(id, "");
    spec.args = ["/probe", "probe"].map(String::from).to_vec();
    Spec { mounts, ..spec }
}

/// What became of each attempt.
fn outcomes(host: &Host, spec: &Spec) -> BTreeMap<String, String> {
    let (exit, said) = host.output(spec);
    assert_eq!(exit.code, 0, "{said}");
    let line =
        |line: &str| line.split_once(": ").map(|(name, outcome)| (name.to_owned(), outcome.to_owned()));
    said.lines().map(|text| line(text).unwrap_or_else(|| panic!("{text}"))).collect()
}

/// What needs a capability of Docker's default set, which root has and others lack.
const OF_ROOT: &[&str] = &["raw socket", "packet socket", "chroot", "chown"];

pub fn dangerous_calls_are_refused(host: &Host) {
    let root = outcomes(host, &probe(host, "root"));
    let user = outcomes(host, &Spec { user: "web".into(), ..probe(host, "user") });

    for (name, outcome) in &root {
        let expected: &[&str] = match name.as_str() {
            name if OF_ROOT.contains(&name) => &["done"],
            // Its own first process is no stranger to root, but is itself.
            "ptrace a stranger" => &["EPERM"],
            _ => &["EPERM"],
        };
        assert!(expected.contains(&outcome.as_str()), "{name} of root: {outcome} {root:?}");
    }
    for (name, outcome) in &user {
        assert_eq!(outcome, "EPERM", "{name} of a user");
    }
}

pub fn privileged_may_try_everything(host: &Host) {
    let tried = outcomes(host, &Spec { privileged: true, ..probe(host, "king") });

    for name in ["keyctl", "mount", "unshare", "fsopen", "packet socket"] {
        assert_eq!(tried[name], "done", "{name}: {tried:?}");
    }
    // Refused for what is asked, not for who asks.
    for name in ["bpf", "kexec_load", "delete_module"] {
        assert_ne!(tried[name], "EPERM", "{name}: {tried:?}");
    }
}

pub fn own_profile_is_obeyed(host: &Host) {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["keyctl","unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":22},
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":95,"args":[{"index":0,"value":17,"op":"SCMP_CMP_EQ"}]},
        {"names":["chroot"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_SYS_CHROOT"]}}]}"#;
    let seccomp = Seccomp::Profile(profile.into());

    let tried = outcomes(host, &Spec { seccomp: seccomp.clone(), ..probe(host, "own") });
    let without = Spec {
        seccomp,
        capabilities_drop: vec!["SYS_CHROOT".into()],
        no_new_privileges: true,
        ..probe(host, "less")
    };
    let less = outcomes(host, &without);

    assert_eq!((tried["keyctl"].as_str(), tried["packet socket"].as_str()), ("EINVAL", "EOPNOTSUPP"));
    assert_eq!(
        (tried["raw socket"].as_str(), tried["chroot"].as_str(), less["chroot"].as_str()),
        ("done", "done", "EPERM")
    );
}

pub fn nothing_of_the_host_is_seen(host: &Host) {
    let script = "ls /proc | grep -E '^[0-9]+$' | busybox wc -l; cat /proc/1/cmdline | busybox tr '\\0' ' '; echo; \
        busybox find /dev -type c -o -type b | busybox sort | busybox tr '\\n' ' '; echo; \
        cat /proc/self/mountinfo; ls /proc/1/root/work 2>&1";

    let (_, said) = host.output(&host.script("blind", script));

    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].parse::<u32>().unwrap() < 8, "{said}");
    assert!(lines[1].starts_with("sh -c"), "{said}");
    let devices = ["full", "null", "random", "tty", "urandom", "zero"].map(|name| format!("/dev/{name}"));
    let (ptmx, found): (Vec<&str>, Vec<&str>) =
        lines[2].split_whitespace().partition(|path| path.contains("pts") || path.contains("ptmx"));
    assert_eq!(found, devices, "{ptmx:?}");
    let dir = host.dir.path().to_str().unwrap();
    assert!(!said.contains(&format!("{dir}/volume")) && said.contains("No such file"), "{said}");
}

pub fn nothing_is_written_outside_the_layer(host: &Host) {
    let script = "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/default_smp_affinity \
        /sys/kernel/uevent_helper /sys/power/state /proc/self/attr/exec /proc/sys/vm/drop_caches; do \
        test -e $f && (echo 1 > $f) 2>/dev/null && echo written $f; done; \
        for d in /sys /proc /sys/fs/cgroup /proc/sys; do touch $d/x 2>/dev/null && echo written $d; done; echo mine > /mine; cat /mine";
    let before = fs::read_dir(host.layer()).unwrap().count();

    let (_, said) = host.output(&host.script("tidy", script));

    assert_eq!(said, "mine\n");
    assert_eq!(fs::read_dir(host.layer()).unwrap().count(), before);
}

pub fn kernel_files_are_shown_and_hidden_as_asked(host: &Host) {
    let script = "busybox wc -c < /proc/interrupts; echo x > /proc/sys/kernel/domainname && echo written; cat /etc/passwd | busybox wc -l; touch /tmp/x";
    let shown =
        Spec { masked_paths: Some(vec![]), read_only_paths: Some(vec![]), ..host.script("shown", script) };
    let (_, said) = host.output(&shown);
    assert!(!said.starts_with("0\n") && said.contains("written"), "{said}");

    let hidden = Spec {
        masked_paths: Some(vec!["/etc/passwd".into()]),
        read_only_paths: Some(vec!["/tmp".into()]),
        ..host.script("hidden", script)
    };
    let (_, said) = host.output(&hidden);
    assert!(said.contains("\n0\n") && said.contains("touch: /tmp/x: Read-only file system"), "{said}");
}

pub fn asked_for_devices_are_there_and_no_others(host: &Host) {
    let device = |host: &str, target: &str, permissions: &str| Device {
        host: host.into(),
        target: target.into(),
        permissions: permissions.into(),
    };
    // One that the container would not have, and one in a place of its own.
    let devices = vec![device("/dev/fuse", "/dev/files", "r"), device("/dev/zero", "/srv/empty", "")];
    let script = "cd /dev; test -c files && echo there; (busybox dd if=files bs=1 count=0 2>/dev/null) && echo read; \
        (echo x > files) 2>&1; head -c 3 /srv/empty | busybox wc -c; \
        busybox mknod /tmp/mem c 1 1; (head -c 1 /tmp/mem) 2>&1; test -e fuse || echo no fuse";
    let spec = Spec { devices, ..host.script("with", script) };

    let (_, said) = host.output(&spec);

    assert!(said.starts_with("there\nread\n"), "{said}");
    assert!(said.contains("can't create files: Operation not permitted"), "{said}");
    assert!(said.contains("3\n") && said.contains("/tmp/mem: Operation not permitted"), "{said}");
    assert!(said.ends_with("no fuse\n"), "{said}");

    let rules = vec!["c 10:229 r".to_owned()];
    let script =
        "busybox mknod /tmp/own c 10 229 && busybox dd if=/tmp/own bs=1 count=0 2>/dev/null && echo open";
    let ruled = Spec { device_rules: rules, ..host.script("ruled", script) };
    assert_eq!(host.output(&ruled).1, "open\n");

    let missing =
        Spec { devices: vec![device("/dev/nothing", "/dev/x", "")], ..host.script("missing", "true") };
    let refused = host.runtime.block_on(host.handle().create(&missing)).unwrap_err().to_string();
    assert!(refused.contains("custom device \"/dev/nothing\": no such file or directory"), "{refused}");
}

pub fn impossible_wishes_are_refused_before_anything_is_made(host: &Host) {
    let sysctls = [("kernel.panic".to_owned(), "1".to_owned())].into();
    let wishes = [
        (Spec { sysctls, ..host.script("no", "true") }, "not in a separate kernel namespace"),
        (Spec { seccomp: Seccomp::Profile("{}".into()), ..host.script("no", "true") }, "seccomp profile"),
        (Spec { device_rules: vec!["x".into()], ..host.script("no", "true") }, "device cgroup rule"),
    ];
    for (spec, words) in wishes {
        let refused = host.runtime.block_on(host.handle().create(&spec)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        host.assert_clean();
    }
}
