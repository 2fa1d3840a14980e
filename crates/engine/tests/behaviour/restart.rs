//! Restarts by policy, and waiting for the end.

use std::time::Duration;

use engine::{Condition, Removing};
use serde_json::{Value, json};

use crate::host::Host;

fn policy(name: &str, retries_max: u32) -> Value {
    json!({ "HostConfig": { "RestartPolicy": { "Name": name, "MaximumRetryCount": retries_max } } })
}

fn count(host: &Host, name: &str) -> i64 {
    i64::from(host.inspect(name).restart_count)
}

/// Kills the program of a container behind everybody's back.
fn kill_program(host: &Host, name: &str) {
    let pid = host.inspect(name).state.pid.to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}

pub fn failures_are_restarted_as_often_as_allowed(host: &Host) {
    host.run("box", "echo run; exit 4", policy("on-failure", 2));

    host.eventually("it is given up", || host.inspect("box").state.status == "exited");

    let inspect = host.inspect("box");
    assert_eq!((inspect.restart_count, inspect.state.exit_code), (2, 4));
    assert_eq!(host.said("box"), "run\n".repeat(3));
    host.run("well", "exit 0", policy("on-failure", 0));
    host.eventually("it ends", || host.inspect("well").state.status == "exited");
    assert_eq!(count(host, "well"), 0);
}

pub fn what_is_stopped_by_hand_stays_stopped(host: &Host) {
    host.run("box", "exec sleep 1000", policy("always", 0));

    kill_program(host, "box");
    host.eventually("it runs again", || count(host, "box") == 1 && host.inspect("box").state.pid > 0);
    host.stop("box");

    assert_eq!(host.inspect("box").state.status, "exited");
    // Longer than the wait before a restart.
    host.sleep(400);
    assert_eq!(host.inspect("box").state.status, "exited");
    host.start("box");
    assert_eq!(count(host, "box"), 0);
    host.block_on(host.engine().kill("box", None)).unwrap();
    assert_eq!(host.inspect("box").state.status, "exited");
    // The images of servers name a stop signal; any other is for the program alone.
    host.run("named", "trap : HUP; while :; do sleep 0.05; done", {
        let mut more = policy("always", 0);
        more["StopSignal"] = "SIGQUIT".into();
        more
    });
    host.block_on(host.engine().kill("named", Some("HUP"))).unwrap();
    kill_program(host, "named");
    host.eventually("it runs again", || count(host, "named") == 1 && host.inspect("named").state.pid > 0);
}

pub fn waiting_containers_can_be_stopped_and_removed(host: &Host) {
    for name in ["stopped", "removed"] {
        host.run(name, "exit 1", policy("always", 0));
    }
    // By then the next restart is seconds away.
    host.eventually("both have failed often", || {
        ["stopped", "removed"].iter().all(|name| {
            let inspect = host.inspect(name);
            inspect.restart_count >= 5 && inspect.state.status == "restarting"
        })
    });
    let waiting = host.inspect("removed").state;
    assert!(waiting.running == waiting.restarting, "{waiting:?}");

    host.stop("stopped");
    let refused = host.block_on(host.engine().remove("removed", Removing::default())).unwrap_err();
    host.remove("removed");

    assert_eq!(host.inspect("stopped").state.status, "exited");
    assert!(refused.text().contains("container is restarting"), "{refused}");
    assert!(host.engine().wait("removed", Condition::Removed).is_err());
}

pub fn another_daemon_keeps_what_runs_and_starts_what_should(host: &Host) {
    let forever = "exec sleep 1000";
    host.run("running", forever, policy("no", 0));
    host.run("ended", "while ! test -e /tmp/go; do sleep 0.05; done; exit 9", policy("no", 0));
    host.run("stopped", forever, policy("always", 0));
    host.run("left", forever, policy("unless-stopped", 0));
    host.run("failed", forever, policy("on-failure", 3));
    host.run("once", forever, json!({ "HostConfig": { "AutoRemove": true } }));
    host.create("created", forever, policy("always", 0));
    let before = host.inspect("running");
    let pids = ["ended", "failed", "once"].map(|name| host.inspect(name).state.pid.to_string());
    host.stop("stopped");
    host.stop("left");

    host.kill_daemon();
    for pid in pids {
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        let ended = || !std::path::Path::new("/proc").join(&pid).exists();
        while !ended() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    host.start_daemon();

    let status = |name: &str| host.inspect(name).state.status;
    host.eventually("what should run does", || {
        status("stopped") == "running" && status("failed") == "running"
    });
    assert_eq!(host.inspect("running").state.pid, before.state.pid);
    assert_eq!((status("ended").as_str(), host.inspect("ended").state.exit_code), ("exited", 137));
    assert_eq!((status("left").as_str(), status("created").as_str()), ("exited", "created"));
    host.eventually("it is removed", || host.engine().wait("once", Condition::Removed).is_err());
    kill_program(host, "stopped");
    host.eventually("it is watched over", || count(host, "stopped") > 0);
}

pub fn removal_at_the_end_is_waited_for(host: &Host) {
    let more = json!({ "HostConfig": { "AutoRemove": true } });
    host.create("box", "exit 5", more);

    let gone = host.engine().wait("box", Condition::Removed).unwrap();
    let ended = host.engine().wait("box", Condition::NextExit).unwrap();
    let not_running = host.engine().wait("box", Condition::NotRunning).unwrap();
    host.start("box");

    assert_eq!((host.block_on(not_running), host.block_on(ended), host.block_on(gone)), (0, 5, 5));
    assert!(host.engine().wait("box", Condition::Removed).is_err());
}
