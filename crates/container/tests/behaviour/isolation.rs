//! What a container may do and see.

use std::fs;

use container::{FileInRoot, Mount, MountKind, Resources, Spec};

use crate::host::{Host, cgroups};

pub fn limits_are_kept_by_the_cgroup(host: &Host) {
    let resources = Resources {
        memory_bytes: Some(64 << 20),
        nano_cpus: Some(500_000_000),
        pids: Some(33),
        ..Resources::default()
    };
    host.run(&Spec { resources, ..host.script("small", "sleep 100") });

    let dirs = cgroups(&format!("{}/small", host.cgroup_parent()));
    let read = |names: [&str; 2]| {
        let texts = dirs.iter().flat_map(|dir| names.map(|name| dir.join(name)));
        texts.filter_map(|path| fs::read_to_string(path).ok()).next().unwrap().trim().to_owned()
    };
    assert_eq!(read(["memory.limit_in_bytes", "memory.max"]), (64 << 20).to_string());
    assert_eq!(read(["pids.max", "pids.max"]), "33");
    assert!(["50000", "50000 100000"].contains(&read(["cpu.cfs_quota_us", "cpu.max"]).as_str()));
}

pub fn container_is_in_its_own_cgroup_everywhere(host: &Host) {
    host.run(&host.script("inside", "sleep 100 & sleep 100"));
    let path = format!("/{}/inside", host.cgroup_parent());
    let controllers = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", ""];

    let text = fs::read_to_string(format!("/proc/{}/cgroup", host.pid("inside"))).unwrap();

    let rows = text.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
    let outside: Vec<_> =
        rows.filter(|row| row[1].split(',').all(|c| controllers.contains(&c)) && row[2] != path).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

pub fn chosen_cpus_and_shares_are_kept(host: &Host) {
    let resources =
        Resources { cpuset_cpus: Some("0".into()), cpu_shares: Some(512), ..Resources::default() };
    let script = "grep Cpus_allowed_list /proc/self/status; cat /sys/fs/cgroup/cpu/cpu.shares";

    let (_, said) = host.output(&Spec { resources, ..host.script("chosen", script) });

    assert_eq!(said, "Cpus_allowed_list:\t0\n512\n");
}

pub fn impossible_limit_is_named_and_leaves_nothing(host: &Host) {
    let resources = Resources { cpuset_cpus: Some("4000".into()), ..Resources::default() };
    let spec = Spec { resources, ..host.script("impossible", "true") };

    let error = host.runtime.block_on(host.handle().create(&spec)).unwrap_err();

    assert!(error.to_string().contains("cpuset.cpus"), "{error}");
    host.assert_clean();
}

pub fn out_of_memory_is_reported(host: &Host) {
    let resources = Resources { memory_bytes: Some(16 << 20), ..Resources::default() };
    let spec = Spec { resources, ..host.script("hungry", "") };
    let args = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"].map(String::from).to_vec();

    let (exit, said) = host.output(&Spec { args, ..spec });

    assert!(exit.oom_killed, "{exit:?} {said}");
    assert_eq!(exit.code, 137);
}

pub fn seccomp_is_on_without_no_new_privileges(host: &Host) {
    let script = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; unshare -U true || echo refused";

    for user in ["", "web"] {
        let id = format!("filtered{user}");
        let (_, said) = host.output(&Spec { user: user.into(), ..host.script(&id, script) });
        assert!(said.contains("Seccomp:\t2\n") && said.contains("NoNewPrivs:\t0\n"), "{said}");
        assert!(said.contains("refused"), "{said}");
    }
    let free = Spec { seccomp: container::Seccomp::Unconfined, ..host.script("free", script) };
    assert!(host.output(&free).1.contains("Seccomp:\t0\n"));
}

pub fn no_new_privileges_is_set_when_asked_for(host: &Host) {
    let spec = host.script("careful", "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status");

    let (_, said) = host.output(&Spec { no_new_privileges: true, ..spec });

    assert_eq!(said, "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

const READ_CAPABILITIES: &str = "grep ^Cap /proc/self/status";

pub fn capabilities_are_dockers(host: &Host) {
    let capabilities = |id: &str, change: &dyn Fn(&mut Spec)| {
        let mut spec = host.script(id, READ_CAPABILITIES);
        change(&mut spec);
        let (exit, said) = host.output(&spec);
        assert_eq!(exit.code, 0, "{said}");
        said.lines().map(|line| line.split_whitespace().last().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Inheritable, permitted, effective, bounding, ambient.
    let (none, default, chown) = ("0000000000000000", "00000000a80425fb", "0000000000000001");

    assert_eq!(capabilities("root", &|_| ()), [none, default, default, default, none]);
    assert_eq!(capabilities("user", &|s| s.user = "web".into()), [none, none, none, default, none]);
    let few = |s: &mut Spec| {
        s.capabilities_drop = vec!["ALL".into()];
        s.capabilities_add = vec!["CAP_CHOWN".into()];
    };
    assert_eq!(capabilities("few", &few), [none, chown, chown, chown, none]);
}

pub fn privileged_has_everything(host: &Host) {
    let script = format!(
        "{READ_CAPABILITIES}; grep Seccomp: /proc/self/status; ls /dev/kmsg; echo x > /proc/sys/kernel/hostname && echo writable"
    );

    let (_, said) = host.output(&Spec { privileged: true, ..host.script("king", &script) });

    let own = fs::read_to_string("/proc/self/status").unwrap();
    let all = own.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap();
    assert!(said.contains(&format!("CapEff:{all}")) && said.contains("Seccomp:\t0"), "{said}");
    assert!(said.contains("/dev/kmsg\n") && said.contains("writable"), "{said}");
}

pub fn kernel_files_are_masked(host: &Host) {
    let script = "for f in /proc/interrupts /proc/timer_list /proc/kcore; do test -e $f && busybox wc -c < $f; done; \
        ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v :; echo; \
        echo x > /proc/sys/kernel/hostname; touch /sys/x; touch /sys/fs/cgroup/x; \
        touch /sys/fs/cgroup/*/tasks; echo done";

    let (_, said) = host.output(&host.script("masked", script));

    let (masked, refused) = said.split_once("\n\n").unwrap();
    assert!(masked.lines().all(|size| size == "0"), "{said}");
    for path in ["/proc/sys/kernel/hostname", "/sys/x", "/sys/fs/cgroup/x"] {
        assert!(refused.contains(&format!("{path}: Read-only file system")), "{path}: {said}");
    }
    assert!(refused.ends_with("done\n"), "{said}");
}

pub fn container_cannot_change_its_own_limits(host: &Host) {
    let resources = Resources { memory_bytes: Some(64 << 20), pids: Some(33), ..Resources::default() };
    let script = "cd /sys/fs/cgroup; for f in memory/memory.limit_in_bytes pids/pids.max memory.max pids.max; do \
        test -e $f && cat $f && ! echo 1000000000 > $f && echo kept; done 2>/dev/null";

    let (_, said) = host.output(&Spec { resources, ..host.script("bound", script) });

    assert_eq!(said, "67108864\nkept\n33\nkept\n");
}

pub fn devices_are_limited(host: &Host) {
    let script = "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; \
        busybox mknod /tmp/disk b 8 0; cat /tmp/disk; head -c 2 /dev/zero | busybox wc -c; ls /dev/shm /dev/mqueue /dev/pts";

    let (_, said) = host.output(&host.script("devices", script));

    assert!(said.contains("can't open '/tmp/disk': Operation not permitted"), "{said}");
    assert!(!said.contains("no ") && said.contains("2\n"), "{said}");
}

pub fn read_only_root_refuses_writes(host: &Host) {
    let mounts = vec![Mount {
        target: "/tmp".into(),
        kind: MountKind::Tmpfs { size_bytes: Some(1 << 20), mode: None, options: Vec::new() },
        read_only: false,
    }];
    let spec = host.script("firm", "touch /x; touch /tmp/x && echo fine");

    let (_, said) = host.output(&Spec { read_only: true, mounts, ..spec });

    assert_eq!(said, "touch: /x: Read-only file system\nfine\n");
}

pub fn user_is_found_by_name(host: &Host) {
    let script = "echo $HOME; id -u; id -g; id -G; echo ok > /dev/stdout";

    let (_, said) =
        host.output(&Spec { user: "web".into(), cwd: "/made/for/it".into(), ..host.script("user", script) });

    assert_eq!(said, "/srv\n33\n34\n34 44\nok\n");
}

pub fn containers_do_not_see_each_other(host: &Host) {
    host.run(&host.script("one", "echo mine > /mine; echo written; sleep 100"));
    host.await_said("one", "written");

    let (_, said) =
        host.output(&host.script("two", "ls /mine; ls /proc | grep -E '^[0-9]+$' | busybox wc -l"));

    assert!(said.starts_with("ls: /mine: No such file or directory\n"), "{said}");
    assert!(said.lines().last().unwrap().trim().parse::<u32>().unwrap() < 8, "{said}");
    assert!(!host.layer().join("mine").exists());
}

pub fn mounts_and_files_are_placed(host: &Host) {
    let volume = host.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("data"), "held\n").unwrap();
    let bind =
        |target: &str, read_only| Mount { target: target.into(), kind: MountKind::bind(&volume), read_only };
    let files = vec![FileInRoot {
        target: "/etc/hosts".into(),
        contents: "127.0.0.1 localhost\n".into(),
        mode: 0o644,
        read_only: false,
    }];
    let script = "cat /vol/data /etc/hosts; touch /vol/new; touch /fixed/x";
    let spec = host.script("mounted", script);

    let (_, said) =
        host.output(&Spec { mounts: vec![bind("/vol", false), bind("/fixed", true)], files, ..spec });

    assert_eq!(said, "held\n127.0.0.1 localhost\ntouch: /fixed/x: Read-only file system\n");
    assert!(volume.join("new").exists());
}

pub fn mounts_leave_the_writable_layer_empty(host: &Host) {
    let file = |target: &str, contents: &str| FileInRoot {
        target: target.into(),
        contents: contents.into(),
        mode: 0o644,
        read_only: false,
    };
    fs::write(host.layer().join("etc/kept"), "image").unwrap();
    let files = vec![file("/etc/hosts", "small"), file("/etc/hosts.d/own", &"x".repeat(3 << 20))];
    let script =
        "cat /etc/hosts /etc/kept; busybox wc -c < /etc/hosts.d/own; echo more >> /etc/hosts && sleep 100";
    host.run(&Spec { files, ..host.script("light", script) });

    host.await_said("light", &format!("smallimage{}\n", 3 << 20));

    let dir = host.dir.path().join("root/light");
    let count = |name: &str| fs::read_dir(dir.join(name)).unwrap().count();
    assert_eq!((count("upper"), count("scratch")), (0, 0));
}

pub fn symbolic_links_of_an_image_do_not_reach_the_host(host: &Host) {
    let outside = host.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let evil = host.dir.path().join("evil");
    fs::create_dir(&evil).unwrap();
    std::os::unix::fs::symlink(&outside, evil.join("data")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", evil.join("link")).unwrap();
    let mut spec = host.script("evil", "cat /link; touch here; ls -d /data/deep");
    spec.layers.insert(0, evil);
    spec.cwd = "/data/deep".into();

    // The link dangles inside, so the directory is made, or refused, inside.
    let created = host.runtime.block_on(host.handle().create(&spec));

    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{created:?}");
}

pub fn network_namespace_is_joined(host: &Host) {
    let path = host.network("own");
    let spec = host.script("net", "ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
    let sysctls = [("net.ipv4.ip_unprivileged_port_start".to_owned(), "77".to_owned())].into();

    let (_, said) = host.output(&Spec { network_namespace: Some(path), sysctls, ..spec });

    assert_eq!(said, "lo\n77\n");
}
