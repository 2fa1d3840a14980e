//! What containers share with the host and with each other.

use std::fs;

use container::{CgroupNamespace, Ipc, PidSpace, Resources, Spec, Ulimit, Uts};

use crate::host::{Host, cgroups, eventually};

fn link(pid: &str, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().to_str().unwrap().to_owned()
}

pub fn namespaces_of_the_host_are_shared_when_asked_for(host: &Host) {
    let script = "for n in pid ipc uts; do busybox readlink /proc/self/ns/$n; done; test -d /proc/$PPID && echo parent";
    let own = ["pid", "ipc", "uts"].map(|kind| link("self", kind));

    let (_, alone) = host.output(&host.script("alone", script));
    let shared =
        Spec { pid: PidSpace::Host, ipc: Ipc::Host, uts: Uts::Host, ..host.script("shared", script) };
    let (_, together) = host.output(&shared);

    assert!(own.iter().all(|name| !alone.contains(name)), "{alone}");
    assert!(own.iter().all(|name| together.contains(name)), "{together}");
}

pub fn container_in_the_hosts_processes_leaves_none_behind(host: &Host) {
    let script = "sleep 1000 & echo left $!; sleep 0.1";
    let spec = Spec { pid: PidSpace::Host, ..host.script("guest", script) };
    let (exit, said) = host.output(&spec);
    assert_eq!(exit.code, 0);

    let pid: i32 = said.split_whitespace().last().unwrap().parse().unwrap();

    eventually(|| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err());
    eventually(|| cgroups(&format!("{}/guest", host.cgroup_parent())).is_empty());
}

pub fn processes_and_memory_of_another_container_are_joined(host: &Host) {
    host.run(&Spec {
        ipc: Ipc::Shareable,
        ..host.script("first", "echo hello > /dev/shm/note; echo noted; sleep 1000")
    });
    host.await_said("first", "noted");
    let pid = host.pid("first");
    let path = |kind: &str| format!("/proc/{pid}/ns/{kind}").into();
    let script = "cat /dev/shm/note; ls -d /proc/1; cat /proc/1/cmdline | busybox tr '\\0' ' '; busybox readlink /proc/self/ns/ipc";

    let joined = Spec {
        ipc: Ipc::Joined(path("ipc")),
        pid: PidSpace::Joined(path("pid")),
        ..host.script("second", script)
    };
    let (_, said) = host.output(&joined);

    assert!(said.starts_with("hello\n/proc/1\nsleep 1000"), "{said}");
    assert!(said.contains(&link(&pid.to_string(), "ipc")), "{said}");
    assert!(matches!(host.handle().status("first").unwrap().phase, container::Phase::Running(_)));
}

pub fn shared_memory_has_its_size(host: &Host) {
    let size = "busybox df -k /dev/shm | busybox tail -n 1 | busybox awk '{print $2}'";
    let of = |id: &str, change: &dyn Fn(&mut Spec)| {
        let mut spec = host.script(id, size);
        change(&mut spec);
        host.output(&spec).1
    };

    assert_eq!(of("usual", &|_| ()), "65536\n");
    assert_eq!(of("small", &|spec| spec.shm_bytes = Some(1 << 20)), "1024\n");
    let (_, said) =
        host.output(&Spec { ipc: Ipc::WithoutShm, ..host.script("none", "grep -c /dev/shm /proc/mounts") });
    assert_eq!(said, "0\n");
}

pub fn names_of_the_host_and_its_domain(host: &Host) {
    let spec = Spec {
        domainname: "example.org".into(),
        ..host.script("named", "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname")
    };

    assert_eq!(host.output(&spec).1, "box\nexample.org\n");
}

pub fn cgroup_looks_like_the_top_when_asked_for(host: &Host) {
    let script = "cat /proc/self/cgroup";
    let outside = |id: &str, namespace| {
        let spec = Spec { cgroup_namespace: namespace, ..host.script(id, script) };
        let (_, said) = host.output(&spec);
        said.matches(&host.cgroup_parent()).count()
    };

    assert_eq!(outside("apart", CgroupNamespace::Private), 0);
    assert_ne!(outside("together", CgroupNamespace::Host), 0);
}

pub fn limits_of_processes_are_kept(host: &Host) {
    let limit = |name: &str, soft, hard| Ulimit { name: name.into(), soft, hard };
    let ulimits = vec![
        limit("nofile", 123, 456),
        limit("core", 0, 0),
        limit("nproc", 1000, 1001),
        limit("rttime", 5, 6),
    ];
    let script = "cat /proc/self/limits; cat /proc/self/oom_score_adj";
    let spec = Spec { ulimits, oom_score_adj: Some(321), ..host.script("limited", script) };
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    host.run(&Spec { oom_score_adj: Some(500), ..host.script("long", "sleep 1000") });

    let (_, said) = host.output(&spec);

    let row = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("Max open files"), "123 456");
    assert_eq!(row("Max core file size"), "0 0");
    assert_eq!(row("Max processes"), "1000 1001");
    assert_eq!(row("Max realtime timeout"), "5 6");
    assert!(said.ends_with("321\n"), "{said}");
    // The shim is not to go before its container.
    let shim = fs::read_to_string(format!("/proc/{}/oom_score_adj", host.shim_of("long"))).unwrap();
    assert_eq!(shim, own);
}

pub fn further_limits_are_kept_by_the_cgroup(host: &Host) {
    let resources = Resources {
        memory_bytes: Some(64 << 20),
        memory_swap_bytes: Some(96 << 20),
        memory_reservation_bytes: Some(32 << 20),
        memory_swappiness: Some(7),
        oom_kill_disable: true,
        cpu_quota_us: Some(20_000),
        cpu_period_us: Some(50_000),
        cpuset_mems: Some("0".into()),
        blkio_weight: Some(300),
        ..Resources::default()
    };
    host.run(&Spec { resources, ..host.script("limited", "sleep 1000") });

    let dirs = cgroups(&format!("{}/limited", host.cgroup_parent()));
    let read = |name: &str| {
        dirs.iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok()).unwrap().trim().to_owned()
    };
    assert_eq!(read("memory.memsw.limit_in_bytes"), (96 << 20).to_string());
    assert_eq!(read("memory.soft_limit_in_bytes"), (32 << 20).to_string());
    assert_eq!(read("memory.swappiness"), "7");
    assert!(read("memory.oom_control").starts_with("oom_kill_disable 1"));
    assert_eq!((read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")), ("20000".into(), "50000".into()));
    assert_eq!(read("cpuset.mems"), "0");
}

pub fn child_killed_for_memory_is_reported(host: &Host) {
    let resources = Resources { memory_bytes: Some(16 << 20), ..Resources::default() };
    let script = "dd if=/dev/zero of=/dev/null bs=200M count=1; echo went on; exit 3";

    let (exit, said) = host.output(&Spec { resources, ..host.script("parent", script) });

    assert!(exit.oom_killed && said.contains("went on"), "{exit:?} {said}");
    assert_eq!(exit.code, 3);
    assert!(!host.output(&host.script("modest", "true")).0.oom_killed);
}
