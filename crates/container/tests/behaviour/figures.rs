//! What is told of a container's use agrees with the kernel.

use std::fs;

use container::{Error, Resources, Spec};

use crate::host::{Host, cgroups, eventually};

/// Reads a number from the first of a container's cgroups that has the file.
fn number(host: &Host, id: &str, file: &str) -> u64 {
    let dirs = cgroups(&format!("{}/{id}", host.cgroup_parent()));
    let text = dirs.iter().find_map(|dir| fs::read_to_string(dir.join(file)).ok());
    text.unwrap_or_else(|| panic!("no cgroup has {file}")).trim().parse().unwrap()
}

pub fn figures_agree_with_the_kernels(host: &Host) {
    let resources = Resources { memory_bytes: Some(64 << 20), pids: Some(40), ..Resources::default() };
    let script = "dd if=/dev/zero of=/tmp/file bs=64k count=64 2>/dev/null; (sleep 1000 &) ; echo ready; while :; do :; done";
    host.run(&Spec { resources, ..host.script("busy", script) });
    host.await_said("busy", "ready");
    let stats = || host.runtime.block_on(host.handle().stats("busy")).unwrap();
    // The kernel counts whose time it was in ticks.
    eventually(|| stats().cpu.user_ns > 0);

    let before = number(host, "busy", "cpuacct.usage");
    let first = stats();
    let after = number(host, "busy", "cpuacct.usage");

    assert!((before..=after).contains(&first.cpu.total_ns), "{before} {} {after}", first.cpu.total_ns);
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!((first.cpu.online_cpus as usize, first.cpu.per_cpu_ns.len()), (processors, processors));
    assert!(first.cpu.user_ns > 0 && first.cpu.host_total_ns > first.cpu.total_ns);
    eventually(|| {
        let now = stats();
        now.cpu.total_ns > first.cpu.total_ns && now.cpu.host_total_ns > first.cpu.host_total_ns
    });
    eventually(|| stats().memory.usage_bytes == number(host, "busy", "memory.usage_in_bytes"));
    let now = stats();
    assert_eq!((now.memory.limit_bytes, now.pids.limit), (Some(64 << 20), Some(40)));
    assert_eq!(now.memory.max_usage_bytes, Some(number(host, "busy", "memory.max_usage_in_bytes")));
    assert!(
        now.memory.details["total_cache"] >= 4 << 20 && now.memory.host_bytes > 64 << 20,
        "{:?}",
        now.memory
    );
    assert_eq!(now.pids.current, number(host, "busy", "pids.current"));
    assert_eq!(now.pids.current, 2);
    assert!(now.networks.is_empty());
}

pub fn traffic_is_counted_by_interface(host: &Host) {
    let network = host.network("traffic");
    let script = "busybox ip link add one type dummy 2>/dev/null; busybox ip link set one up; \
        busybox ip addr add 10.9.8.7/24 dev one; busybox ping -c 1 -W 1 10.9.8.9 >/dev/null; echo sent; sleep 1000";
    let spec = Spec { privileged: true, network_namespace: Some(network), ..host.script("talker", script) };
    host.run(&spec);
    host.await_said("talker", "sent");
    let pid = host.pid("talker");

    let stats = host.runtime.block_on(host.handle().stats("talker")).unwrap();

    let table = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let names: Vec<&str> =
        table.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect();
    let told: Vec<&str> = stats.networks.keys().map(String::as_str).collect();
    assert_eq!(told, names.iter().copied().filter(|name| *name != "lo").collect::<Vec<_>>());
    if let Some(one) = stats.networks.get("one") {
        assert!(one.sent.packets > 0 && one.sent.bytes > 0, "{one:?}");
    }
}

pub fn processes_are_listed_as_the_host_numbers_them(host: &Host) {
    host.run(&host.script("several", "sleep 1000 & sleep 1000 & wait"));
    let pids = || host.runtime.block_on(host.handle().pids("several")).unwrap();
    eventually(|| pids().len() == 3);

    assert!(pids().contains(&host.pid("several")));
    for pid in pids() {
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(cgroup.contains(&format!("{}/several", host.cgroup_parent())), "{cgroup}");
    }
    host.runtime.block_on(host.handle().signal("several", container::Signal::KILL)).unwrap();
    host.wait("several");
    eventually(|| pids().is_empty());
}

pub fn container_at_rest_has_no_figures(host: &Host) {
    host.output(&host.script("over", "true"));

    let refused = host.runtime.block_on(host.handle().stats("over"));

    assert!(matches!(refused, Err(Error::NotRunning { .. })), "{refused:?}");
}

pub fn quota_that_is_used_up_is_counted(host: &Host) {
    let resources =
        Resources { cpu_quota_us: Some(5_000), cpu_period_us: Some(20_000), ..Resources::default() };
    host.run(&Spec { resources, ..host.script("slow", "while :; do :; done") });

    eventually(|| {
        let cpu = host.runtime.block_on(host.handle().stats("slow")).unwrap().cpu;
        cpu.periods > 2 && cpu.throttled_periods > 0 && cpu.throttled_ns > 0
    });
    assert_eq!(number(host, "slow", "cpu.cfs_period_us"), 20_000);
}
