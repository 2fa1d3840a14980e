//! Containers that stand still.

use std::time::Duration;

use container::{Error, Phase, Removal, Signal, Spec};

use crate::host::{Host, cgroups, eventually};

/// Runs a container that counts, and returns how far it has come.
fn counting(host: &Host, id: &str) -> impl Fn() -> usize {
    let script =
        "trap 'echo asked; exit 7' TERM; trap 'echo heard' USR1; while :; do echo .; sleep 0.01; done";
    host.run(&host.script(id, script));
    host.await_said(id, ".");
    move || host.said(id).matches('.').count()
}

fn is_paused(host: &Host, id: &str) -> bool {
    matches!(host.handle().status(id).unwrap().phase, Phase::Paused(_))
}

pub fn paused_container_stands_still_and_goes_on(host: &Host) {
    let count = counting(host, "still");
    let containers = host.handle();

    host.runtime.block_on(containers.pause("still")).unwrap();

    assert!(is_paused(host, "still"));
    let before = count();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(count(), before);
    let again = host.runtime.block_on(containers.pause("still"));
    assert!(matches!(again, Err(Error::Paused { .. })), "{again:?}");
    let start = host.runtime.block_on(containers.start("still"));
    assert!(matches!(start, Err(Error::Paused { .. })), "{start:?}");

    host.runtime.block_on(containers.unpause("still")).unwrap();

    assert!(!is_paused(host, "still"));
    eventually(|| count() > before);
    let again = host.runtime.block_on(containers.unpause("still"));
    assert!(matches!(again, Err(Error::NotPaused { .. })), "{again:?}");
}

pub fn pause_is_seen_by_the_next_handle(host: &Host) {
    drop(counting(host, "still"));
    host.runtime.block_on(host.handle().pause("still")).unwrap();

    host.reopen();

    assert!(is_paused(host, "still"));
    host.runtime.block_on(host.handle().unpause("still")).unwrap();
    assert!(!is_paused(host, "still"));
}

pub fn signals_wait_until_it_goes_on(host: &Host) {
    drop(counting(host, "still"));
    let containers = host.handle();
    host.runtime.block_on(containers.pause("still")).unwrap();

    host.runtime.block_on(containers.signal("still", "USR1".parse().unwrap())).unwrap();

    assert!(is_paused(host, "still") && !host.said("still").contains("heard"));
    host.runtime.block_on(containers.unpause("still")).unwrap();
    host.await_said("still", "heard");
}

pub fn paused_container_can_be_stopped_killed_and_removed(host: &Host) {
    let containers = host.handle();
    let paused = |id: &str| {
        drop(counting(host, id));
        host.runtime.block_on(containers.pause(id)).unwrap();
    };
    paused("asked");
    let exit = host.runtime.block_on(containers.stop("asked", None, Duration::from_secs(20))).unwrap();
    assert_eq!((exit.code, host.said("asked").contains("asked")), (7, true));

    paused("killed");
    host.runtime.block_on(containers.signal("killed", Signal::KILL)).unwrap();
    assert_eq!(host.wait("killed").code, 137);

    paused("removed");
    let refused = host.runtime.block_on(containers.remove("removed", Removal::OnlyStopped));
    assert!(matches!(refused, Err(Error::Running { .. })), "{refused:?}");
    host.remove("removed");
}

pub fn what_does_not_run_cannot_be_paused(host: &Host) {
    host.output(&host.script("over", "true"));

    let refused = host.runtime.block_on(host.handle().pause("over"));

    assert!(matches!(refused, Err(Error::NotRunning { .. })), "{refused:?}");
}

pub fn shim_killed_while_paused_takes_its_container_along(host: &Host) {
    drop(counting(host, "still"));
    let shim = host.shim_of("still");
    host.runtime.block_on(host.handle().pause("still")).unwrap();

    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), nix::sys::signal::SIGKILL).unwrap();

    assert_eq!(host.wait("still").code, 137);
    eventually(|| cgroups(&format!("{}/still", host.cgroup_parent())).is_empty());
}

pub fn limits_change_while_it_runs(host: &Host) {
    use container::Resources;

    let small = Resources { memory_bytes: Some(32 << 20), pids: Some(30), ..Resources::default() };
    let spec = Spec { resources: small.clone(), ..host.script("growing", "sleep 1000") };
    host.run(&spec);
    let containers = host.handle();
    let read = |name: &str| {
        let dirs = cgroups(&format!("{}/growing", host.cgroup_parent()));
        let found = dirs.iter().find_map(|dir| std::fs::read_to_string(dir.join(name)).ok());
        found.unwrap().trim().to_owned()
    };
    let update = |resources: Resources| host.runtime.block_on(containers.update("growing", resources));

    let large = Resources {
        memory_bytes: Some(256 << 20),
        nano_cpus: Some(250_000_000),
        cpu_shares: Some(77),
        ..Resources::default()
    };
    update(large.clone()).unwrap();
    assert_eq!(read("memory.limit_in_bytes"), (256 << 20).to_string());
    assert_eq!(read("memory.memsw.limit_in_bytes"), (512 << 20).to_string());
    assert_eq!(
        (read("pids.max").as_str(), read("cpu.cfs_quota_us").as_str(), read("cpu.shares").as_str()),
        ("max", "25000", "77")
    );

    update(small.clone()).unwrap();
    assert_eq!(read("memory.memsw.limit_in_bytes"), (64 << 20).to_string());
    assert_eq!((read("cpu.cfs_quota_us").as_str(), read("cpu.shares").as_str()), ("-1", "1024"));

    let impossible =
        Resources { cpuset_cpus: Some("4000".into()), memory_bytes: Some(48 << 20), ..Resources::default() };
    let refused = update(impossible).unwrap_err().to_string();
    assert!(refused.contains("cpuset.cpus"), "{refused}");
    assert_eq!(read("memory.limit_in_bytes"), (32 << 20).to_string());

    host.reopen();
    assert_eq!(host.handle().spec("growing").unwrap().resources, small);
}
