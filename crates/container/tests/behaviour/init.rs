//! The tiny first process of a container that asked for one.

use std::fs;
use std::time::Duration;

use container::{Process, Signal, Spec, Streams};

use crate::host::{Host, eventually, host_libraries};

/// The first process is this binary, which should weigh next to nothing; its shared libraries do not count.
const OWN_MEMORY_KB_MAX: u64 = 1000;

fn with_init(spec: Spec) -> Spec {
    Spec { init: true, mounts: host_libraries(), ..spec }
}

pub fn orphans_are_reaped_and_signals_forwarded(host: &Host) {
    let script = "trap 'exit 4' TERM; (sleep 0.05 &) ; echo me $$; while :; do sleep 0.05; done";
    host.run(&with_init(host.script("tidy", script)));
    host.await_said("tidy", "me 2");
    let pid = host.pid("tidy");
    let children = format!("/proc/{pid}/task/{pid}/children");
    eventually(|| fs::read_to_string(&children).unwrap().split_whitespace().count() == 1);
    let name = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(name.starts_with("/sbin/docker-init\0"), "{name:?}");
    assert!(own_memory_kb(pid) < OWN_MEMORY_KB_MAX, "{} kB", own_memory_kb(pid));

    let exit = host.runtime.block_on(host.handle().stop("tidy", None, Duration::from_secs(20))).unwrap();

    assert_eq!(exit.code, 4);
}

fn own_memory_kb(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

pub fn other_processes_reach_the_streams_of_the_first(host: &Host) {
    let check = |id: &str, user: &str| {
        let script = "echo up; while ! test -e /dev/shm/told; do sleep 0.02; done";
        host.run(&with_init(Spec { user: user.into(), ..host.script(id, script) }));
        host.await_said(id, "up");
        let script = "echo reported > /proc/1/fd/1 && echo complained > /proc/1/fd/2 && : > /dev/shm/told";
        let args = ["sh", "-c", script].map(String::from).to_vec();
        let process = Process { args, streams: Streams::ALL, ..Process::default() };

        let mut stream = host.exec(id, "job", &process).unwrap();

        assert_eq!((host.read(&mut stream), host.exec_wait(id, "job")), (Vec::new(), 0), "{id}");
        assert_eq!(host.wait(id).code, 0);
        assert_eq!(host.said(id), "up\nreported\ncomplained\n", "{id}");
    };

    check("roots", "");
    check("users", "web");
}

pub fn ends_of_the_program_are_told(host: &Host) {
    let code = |id: &str, script: &str| host.output(&with_init(host.script(id, script))).0.code;
    assert_eq!(code("exits", "exit 7"), 7);
    assert_eq!(code("killed", "kill -9 $$"), 137);
    assert_eq!(code("aborted", "kill -ABRT $$"), 134);

    let missing = Spec { args: vec!["/bin/broken".into()], ..with_init(host.script("broken", "")) };
    let refused = host.runtime.block_on(async {
        host.handle().create(&missing).await?;
        host.handle().start("broken").await
    });
    assert!(refused.unwrap_err().to_string().contains("exec /bin/broken: exec format error"));
}

pub fn real_time_signals_are_forwarded_too(host: &Host) {
    host.run(&with_init(host.script("exact", "trap 'exit 9' 37; echo ready; while :; do sleep 0.02; done")));
    host.await_said("exact", "ready");

    host.runtime.block_on(host.handle().signal("exact", "RTMIN+3".parse::<Signal>().unwrap())).unwrap();

    assert_eq!(host.wait("exact").code, 9);
}

pub fn binary_of_the_host_is_read_only(host: &Host) {
    let script = "for f in /sbin/docker-init /proc/1/exe; do (: >> $f) 2>/dev/null && echo written $f; done; \
        busybox mount -o remount,rw /sbin/docker-init 2>/dev/null && echo opened; \
        rm -f /sbin/docker-init 2>/dev/null && echo removed; id -u";

    for read_only in [false, true] {
        let id = format!("guarded-{read_only}");
        let (_, said) = host.output(&Spec { read_only, ..with_init(host.script(&id, script)) });
        assert_eq!(said, "0\n");
    }
}

pub fn keys_of_a_terminal_reach_the_program_once(host: &Host) {
    let script = "n=0; trap 'n=$((n+1)); echo key $n' INT; trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done";
    host.lay_out(&with_init(Spec { tty: true, open_stdin: true, ..host.shell("typed", script) }));
    let mut stream = host.attach("typed");
    host.start("typed");
    host.read_until(&mut stream, "ready\r\n");

    for count in 1..=3 {
        host.write(&mut stream, "\x03");
        let said = host.read_until(&mut stream, &format!("key {count}\r\n"));
        assert_eq!(said.matches("key").count(), 1, "{said:?}");
    }
    host.runtime.block_on(host.handle().stop("typed", None, Duration::from_secs(20))).unwrap();
}
