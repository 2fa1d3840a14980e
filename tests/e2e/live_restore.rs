//! The daemon is killed and comes back under running containers, while people look on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{Client, Lab, Running, eventually, turn};

const COUNT: usize = 20;
/// Counts lines, so that a lost one shows.
const COUNTING: &str = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";

#[test]
fn the_daemon_is_replaced_under_running_containers() {
    let _turn = turn();
    let lab = Lab::up("live", 1, 0);
    let [client, _] = Client::both(&lab, "m1");
    client.load("busybox");
    let folder = tempfile::tempdir().unwrap();
    for number in 0..COUNT {
        client.run(&format!("run -d --name box{number} busybox sh -c '{COUNTING}'")).ok();
    }
    client.run("run -d --name brief busybox sh -c 'while [ ! -e /end ]; do sleep 0.05; done; exit 9'").ok();
    client.run("run -d --name again --restart always busybox sh -c 'while [ ! -e /end ]; do sleep 0.05; done; rm /end; exit 3'").ok();
    client.run("exec -d box0 sh -c 'while [ ! -e /end ]; do sleep 0.05; done; echo done >/ended'").ok();
    let _onlookers = onlookers(client, folder.path());
    let before = starts(client);
    let brief = process(client, "brief");
    let ends = ["brief", "again", "box0"].map(|name| process(client, name).join("root/end"));

    lab.lab("kill", &["--daemon", "m1"]).ok();
    for end in ends {
        fs::write(end, "").unwrap();
    }
    eventually(10, "the brief one ends without a daemon", || {
        if brief.exists() { Err("it runs".to_owned()) } else { Ok(()) }
    });
    lab.lab("start", &["m1"]).ok();
    eventually(20, "the daemon answers again", || client.run("ps -q").tried());

    client.run("inspect --format '{{.State.Status}} {{.State.ExitCode}}' brief").says(&["exited 9"]);
    client.until_says(20, "inspect --format '{{.State.Status}}' again", "running");
    client.until_says(10, "exec box0 cat /ended", "done");
    assert_eq!(starts(client), before, "none was replaced");
    // The last one began shortly before the daemon went: its log must show lines of after that, too.
    client.until_says(20, &format!("logs box{}", COUNT - 1), "line 100");
    for number in 0..COUNT {
        lines_are_whole(client, number);
    }
    let names: Vec<String> = (0..COUNT).map(|number| format!("box{number}")).collect();
    client.run(&format!("rm -f brief again {}", names.join(" "))).ok();
    lab.until_nothing_is_left();
}

/// Follows logs, attaches and executes, until the daemon goes.
fn onlookers(client: Client<'_>, folder: &Path) -> Vec<Running> {
    let look = |number: usize, words: String| {
        let file = File::create(folder.join(number.to_string())).unwrap();
        let argv: Vec<&str> = [client.program].into_iter().chain(words.split(' ')).collect();
        Running::printing(client.lab.on(client.host, &argv).stdout(Stdio::from(file)))
    };
    let mut looking = Vec::new();
    for number in 0..COUNT {
        looking.push(match number % 3 {
            0 => look(number, format!("logs -f box{number}")),
            1 => look(number, format!("attach --no-stdin box{number}")),
            _ => look(number, format!("exec box{number} top -b")),
        });
    }
    for number in 0..COUNT {
        eventually(20, "an onlooker sees something", || {
            let seen = fs::metadata(folder.join(number.to_string())).unwrap().len();
            if seen > 0 { Ok(()) } else { Err(format!("onlooker {number} sees nothing")) }
        });
    }
    looking
}

#[track_caller]
fn lines_are_whole(client: Client<'_>, number: usize) {
    let text = client.run(&format!("logs box{number}")).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() >= 100, "box{number} logged {} lines", lines.len());
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("line {}", index + 1), "box{number} lost a line");
    }
}

/// Returns the first process and the start of each counting container.
fn starts(client: Client<'_>) -> Vec<String> {
    let look = |number| {
        client
            .run(&format!("inspect --format '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' box{number}"))
            .ok()
    };
    (0..COUNT).map(look).collect()
}

/// Returns what the host shows of a container's first process.
fn process(client: Client<'_>, name: &str) -> PathBuf {
    let pid = client.run(&format!("inspect --format '{{{{.State.Pid}}}}' {name}")).ok();
    Path::new("/proc").join(pid)
}
