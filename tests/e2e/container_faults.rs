//! Daemons that die while they make or remove containers, and many containers at once: nothing stays behind.

use std::time::{Duration, Instant};

use crate::support::{Client, Lab, Running, archive, eventually, turn};

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

#[test]
fn a_full_disk_refuses_runs_and_leaves_nothing_of_them() {
    let _turn = turn();
    let lab = Lab::up_with("fullrun", 1, 0, &["--no-init"]);
    let (small, socket) = (lab.folder("m1").join("small"), lab.folder("m1").join("small.sock"));
    std::fs::create_dir_all(&small).unwrap();
    let (at, socket) = (small.display(), socket.display());
    let serve = format!(
        "mount -t tmpfs -o size=64m tmpfs {at} && exec drover daemon --hostname small --data-root {at} \
         --exec-root /run/small --cgroup-parent drover-{}-m1 --image-gc-high-threshold 100 --listen unix://{socket}",
        lab.name()
    );
    let daemon = Running::start(lab.on("m1", &["sh", "-c", &serve]));
    let [client, docker] = Client::both(&lab, "m1");
    let run = |client: Client<'_>, words: &str| {
        lab.sh(
            "m1",
            &format!("DROVER_HOST=unix://{socket} DOCKER_HOST=unix://{socket} {} {words}", client.program),
        )
    };
    eventually(20, "the second daemon answers", || run(client, "version").tried());
    run(client, &format!("load -i {}", archive("busybox").display())).ok();
    run(
        client,
        "run -d --name early busybox sh -c 'until cat /go; do sleep 0.1; done; cp /bin/busybox /copy'",
    )
    .ok();

    // It ends with an error, since it writes until nothing fits.
    let fill = || lab.sh("m1", &format!("dd if=/dev/zero of={at}/filler bs=4k oflag=append conv=notrunc"));
    for client in [client, docker] {
        fill();
        let said = run(client, "run -d --name late -v /anonymous busybox sleep 1000");
        assert!(!said.is_ok() && said.err.contains("No space left on device"), "{said:?}");
        assert_eq!(run(client, "ps -a --format '{{.Names}}'").ok(), "early");
        run(client, &format!("load -i {}", archive("nginx").display())).refused(&["No space left on device"]);
    }
    lab.sh("m1", &format!("rm {at}/filler")).ok();
    run(client, "run -d --name late -v /anonymous busybox sleep 1000").ok();
    run(docker, "exec early touch /go").ok();
    assert_eq!(run(client, "wait early").ok(), "0", "it went on through all of it");
    run(client, "rm -fv early late").ok();
    assert_eq!(run(client, "volume ls -q").ok(), "");
    drop(daemon);
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
