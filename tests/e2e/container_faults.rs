//! Daemons that die while they make or remove containers, and many containers at once: nothing stays behind.

use std::time::{Duration, Instant};

use crate::support::{Client, Lab, Running, eventually, turn};

/// Making a container takes some tens of milliseconds: the moments lie all over it and somewhat beyond.
const MOMENTS_MS: [u64; 16] = [0, 3, 6, 9, 12, 15, 18, 21, 24, 28, 32, 37, 42, 50, 60, 80];
const AT_ONCE: usize = 20;
const ROUNDS: usize = 10;

#[test]
fn a_daemon_that_dies_at_any_moment_leaves_nothing_behind() {
    let _turn = turn();
    let lab = Lab::up("faults", 1, 0);
    let [client, _] = Client::both(&lab, "m1");
    client.load("busybox");
    for (number, moment) in MOMENTS_MS.into_iter().map(Duration::from_millis).enumerate() {
        let name = format!("box{number}");
        let port = 8100 + number;
        let making =
            ["drover", "run", "-d", "--name", &name, "-v", "/anonymous", "-p", &format!("{port}:80")];
        {
            let _making =
                Running::start(lab.on("m1", &[&making[..], &["busybox", "sleep", "1000"]].concat()));
            dies_after(client, moment);
        }
        // Whatever is there is whole: it can be looked at, and starts if it does not run.
        let found = client.run(&format!("ps -aq --filter name=^{name}$")).ok();
        if !found.is_empty() {
            client.run(&format!("inspect {name}")).says(&["\"Status\": \""]);
            client.run(&format!("start {name}")).ok();
            assert_eq!(client.run(&format!("exec {name} echo here")).ok(), "here", "{moment:?}");
        }
        // What is not there is not half there: its name and port are free.
        if found.is_empty() {
            client.run(&format!("run -d --name {name} -v /anonymous -p {port}:80 busybox sleep 1000")).ok();
        }
        {
            let _removing = Running::start(lab.on("m1", &["drover", "rm", "-fv", &name]));
            dies_after(client, moment);
        }
        let left = client.run(&format!("ps -aq --filter name=^{name}$")).ok();
        if !left.is_empty() {
            client.run(&format!("rm -fv {name}")).ok();
        }
    }
    lab.until_nothing_is_left();
    client.run("volume prune -f").ok();
    assert_eq!(client.run("volume ls -q").ok(), "");
}

#[test]
fn two_hundred_containers_leave_nothing_behind() {
    let _turn = turn();
    let lab = Lab::up("many", 1, 0);
    let [client, docker] = Client::both(&lab, "m1");
    client.load("busybox");
    for round in 0..ROUNDS {
        // Half by each client; all are made, run and removed at the same time.
        let each = [client, docker].map(|client| client.program);
        let line = format!(
            "for n in $(seq {}); do for c in {}; do \
               $c run --rm -v /anonymous -p 80 --name $c-{round}-$n busybox true || echo failed $c $n & \
             done; done; wait",
            AT_ONCE / 2,
            each.join(" ")
        );
        let said = lab.sh("m1", &line);
        assert!(said.is_ok() && !said.out.contains("failed"), "{said:?}");
    }
    lab.until_nothing_is_left();
    assert_eq!(client.run("ps -aq").ok(), "");
    assert_eq!(client.run("volume ls -q").ok(), "");
}

/// Kills the daemon after a moment and starts it again.
fn dies_after(client: Client<'_>, moment: Duration) {
    let began = Instant::now();
    while began.elapsed() < moment {
        std::thread::yield_now();
    }
    client.lab.lab("kill", &["--daemon", client.host]).ok();
    client.lab.lab("start", &[client.host]).ok();
    eventually(20, "the daemon answers again", || client.run("ps -q").tried());
}
