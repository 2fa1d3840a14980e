//! Containers on a host with version 2 cgroups alone, which this one pretends to be in a mount namespace.
//!
//! Its version 2 hierarchy has no controllers, since version 1 holds them: what needs one is not tried here.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::{figures, isolation, leftovers, life, log, namespaces, pausing, security};
use crate::host::{Host, Test, cgroups, eventually, run, tests};

const ROOT: &str = "/sys/fs/cgroup";

/// What needs no controllers.
const TESTS: &[Test] = tests![
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

/// Runs this binary again in the pretended host.
pub fn other_host_works(_: &Host) {
    let status = Command::new(std::env::current_exe().unwrap()).arg("unified").status().unwrap();
    assert!(status.success());
}

/// Leaves the version 1 hierarchies and runs the tests.
pub fn main(wanted: impl Iterator<Item = OsString>) -> ExitCode {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    mount(none, "/", none, private, none).unwrap();
    umount2(ROOT, MntFlags::MNT_DETACH).unwrap();
    mount(Some("cgroup2"), ROOT, Some("cgroup2"), MsFlags::empty(), none).unwrap();
    run(TESTS, wanted)
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
