//! A daemon that dies under its containers, and the next one.

use container::{LogQuery, Phase, Process, Streams};

use crate::host::{Host, eventually};

const CONTAINERS: usize = 20;

/// Open streams, processes and logs all end with the daemon; nothing else does.
pub fn nothing_stops_when_the_daemon_dies(host: &Host) {
    let id = |number: usize| format!("c{number}");
    let script =
        "n=0; while [ ! -e /stop ]; do echo line $n; n=$((n+1)); sleep 0.05; done; echo last $n; exit 7";
    let _inside = host.runtime.enter();
    let mut open = Vec::new();
    for number in 0..CONTAINERS {
        host.run(&host.shell(&id(number), script));
        let wait = "while [ ! -e /stop ]; do sleep 0.05; done; exit 8";
        let process = shell(wait);
        let streams = host.exec(&id(number), "waiting", &process).unwrap();
        let query = LogQuery { follow: true, ..LogQuery::default() };
        open.push((host.attach(&id(number)), streams, host.handle().logs(&id(number), query).unwrap()));
    }
    let pids: Vec<i32> = (0..CONTAINERS).map(|number| host.pid(&id(number))).collect();
    // Half of them will end while nobody looks.
    for number in (0..CONTAINERS).step_by(2) {
        let process = shell("sleep 0.3; touch /stop; sleep 100");
        host.exec(&id(number), "stop", &process).unwrap();
    }

    host.forget();
    drop(open);
    let gone = |pid: i32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    eventually(|| pids.iter().step_by(2).all(|pid| gone(*pid)));
    host.reopen();

    for (number, pid) in pids.iter().enumerate() {
        let phase = host.handle().status(&id(number)).unwrap().phase;
        if number % 2 == 1 {
            assert_eq!(host.pid(&id(number)), *pid, "it was stopped");
            // What it asks for may come before its own end.
            let code = host.exec_output(&id(number), "stop", &shell("touch /stop")).0;
            assert!([0, 137].contains(&code), "{code}");
        } else {
            assert!(matches!(phase, Phase::Exited(_)), "{phase:?}");
        }
        assert_eq!(host.wait(&id(number)).code, 7);
        assert!([8, 137].contains(&host.exec_wait(&id(number), "waiting")));
        assert_whole(&host.said(&id(number)));
    }
}

/// Every line must be there, in order.
fn assert_whole(said: &str) {
    let lines: Vec<&str> = said.lines().collect();
    let (last, lines) = lines.split_last().unwrap();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("line {number}"));
    }
    assert_eq!(*last, format!("last {}", lines.len()));
}

fn shell(script: &str) -> Process {
    let args = ["sh", "-c", script].map(String::from).to_vec();
    Process { args, streams: Streams { stdout: true, ..Streams::default() }, ..Process::default() }
}
