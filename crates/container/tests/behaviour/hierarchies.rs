//! Containers on hosts with cgroups of one version alone, which this one pretends to be in a mount namespace.
//!
//! Where version 1 is mounted, version 2 has no controllers: what needs one is not tried with version 2 alone.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::{figures, isolation, leftovers, life, log, namespaces, pausing, security};
use crate::host::{Host, Test, cgroups, eventually, run, tests};

const ROOT: &str = "/sys/fs/cgroup";

/// What needs no controllers.
const OF_VERSION_2: &[Test] = tests![
    log::program_runs_and_its_output_is_logged,
    life::exit_code_and_signals_are_reported,
    life::killed_shim_takes_its_container_along,
    life::container_outlives_its_handle,
    isolation::privileged_has_everything,
    isolation::devices_are_limited,
    security::asked_for_devices_are_there_and_no_others,
    namespaces::cgroup_looks_like_the_top_when_asked_for,
    pausing::paused_container_stands_still_and_goes_on,
    pausing::pause_is_seen_by_the_next_handle,
    pausing::paused_container_can_be_stopped_killed_and_removed,
    figures::processes_are_listed_as_the_host_numbers_them,
    self::figures_agree_with_the_kernels,
    self::own_cgroup_is_read_only_and_looks_like_the_top,
    self::limit_without_its_controller_is_refused_by_name,
    leftovers::two_hundred_leave_nothing,
];

/// What a host with version 1 alone must do as any other.
const OF_VERSION_1: &[Test] = tests![
    log::program_runs_and_its_output_is_logged,
    isolation::limits_are_kept_by_the_cgroup,
    isolation::devices_are_limited,
    isolation::out_of_memory_is_reported,
    security::asked_for_devices_are_there_and_no_others,
    pausing::paused_container_stands_still_and_goes_on,
    pausing::pause_is_seen_by_the_next_handle,
    pausing::paused_container_can_be_stopped_killed_and_removed,
    pausing::shim_killed_while_paused_takes_its_container_along,
    pausing::limits_change_while_it_runs,
    figures::figures_agree_with_the_kernels,
];

/// Runs this binary again in the pretended hosts.
pub fn other_hosts_work(_: &Host) {
    for version in ["unified", "legacy"] {
        let status = Command::new(std::env::current_exe().unwrap()).arg(version).status().unwrap();
        assert!(status.success(), "{version}");
    }
}

/// Leaves the version 1 hierarchies and runs the tests.
pub fn version_2(wanted: impl Iterator<Item = OsString>) -> ExitCode {
    leave_host_mounts();
    umount2(ROOT, MntFlags::MNT_DETACH).unwrap();
    mount(Some("cgroup2"), ROOT, Some("cgroup2"), MsFlags::empty(), None::<&str>).unwrap();
    run(OF_VERSION_2, wanted)
}

/// Leaves the version 2 hierarchy and runs the tests.
pub fn version_1(wanted: impl Iterator<Item = OsString>) -> ExitCode {
    leave_host_mounts();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    for row in
        mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).filter(|row| row[2] == "cgroup2")
    {
        umount2(row[1], MntFlags::MNT_DETACH).unwrap();
    }
    run(OF_VERSION_1, wanted)
}

fn leave_host_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
}

fn figures_agree_with_the_kernels(host: &Host) {
    host.run(&host.script("busy", "sleep 1000 & while :; do :; done"));
    let dirs = cgroups(&format!("{}/busy", host.cgroup_parent()));
    let [dir] = dirs.as_slice() else { panic!("{dirs:?}") };
    let used = || {
        let text = fs::read_to_string(dir.join("cpu.stat")).unwrap();
        let us =
            text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap().parse::<u64>().unwrap();
        us * 1_000
    };
    let stats = || host.runtime.block_on(host.handle().stats("busy")).unwrap();
    eventually(|| stats().pids.current == 2 && stats().cpu.total_ns > 0);

    let before = used();
    let told = stats();
    let after = used();

    assert!((before..=after).contains(&told.cpu.total_ns), "{before} {} {after}", told.cpu.total_ns);
    assert!(told.cpu.per_cpu_ns.is_empty() && told.cpu.online_cpus > 0);
}

fn own_cgroup_is_read_only_and_looks_like_the_top(host: &Host) {
    let script = "cat /proc/self/cgroup; test -e /sys/fs/cgroup/cgroup.events && echo own; touch /sys/fs/cgroup/x; echo 0 > /sys/fs/cgroup/cgroup.procs";

    let (_, said) = host.output(&host.script("top", script));

    assert!(said.contains("\n0::/\nown\n"), "{said}");
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
}

fn limit_without_its_controller_is_refused_by_name(host: &Host) {
    let resources = container::Resources { memory_bytes: Some(64 << 20), ..container::Resources::default() };
    let spec = container::Spec { resources, ..host.script("limited", "true") };

    let refused = host.runtime.block_on(host.handle().create(&spec)).unwrap_err().to_string();

    assert!(refused.contains("memory.max"), "{refused}");
    host.assert_clean();
}
