//! Joining programs, and reading what they have said and used.

use engine::{AttachWanted, Condition, LogsWanted};
use serde_json::json;

use crate::host::{Client, Host};

fn attach<'a>(host: &'a Host, name: &str, wanted: &AttachWanted) -> Client<'a> {
    let session = host.block_on(host.engine().attach(name, wanted)).unwrap();
    host.talk(session)
}

fn output() -> AttachWanted {
    AttachWanted { stream: true, stdout: true, stderr: true, ..AttachWanted::default() }
}

fn all() -> AttachWanted {
    AttachWanted { stdin: true, ..output() }
}

pub fn who_attaches_before_the_start_hears_everything(host: &Host) {
    host.create("box", "echo first; echo second >&2", json!({}));
    let mut listener = host.engine().events().listen(None);

    let client = attach(host, "box", &output());
    let ended = host.engine().wait("box", Condition::NextExit).unwrap();
    host.start("box");

    assert_eq!(host.block_on(ended), 0);
    let said = client.heard_to_end();
    assert!(said.contains("first\n") && said.contains("second\n"), "{said:?}");
    let told: Vec<_> = std::iter::from_fn(|| listener.next_past()).map(|event| event.action).collect();
    assert_eq!(told, ["attach", "connect", "start", "disconnect", "die"]);
}

pub fn earlier_output_comes_first(host: &Host) {
    host.run("box", "echo before; while ! test -e /tmp/go; do sleep 0.05; done; echo after", json!({}));
    host.eventually("it has said something", || host.said("box") == "before\n");

    let past = attach(host, "box", &AttachWanted { stream: false, logs: true, ..output() });
    let both = attach(host, "box", &AttachWanted { logs: true, ..output() });
    let body = engine_json::decode(br#"{"Cmd": ["touch", "/tmp/go"]}"#).unwrap();
    let go = host.engine().exec_create("box", body).unwrap().id;
    let how = container_json::ExecStart { detach: true, ..container_json::ExecStart::default() };
    host.block_on(host.engine().exec_start(&go, how)).unwrap();

    assert_eq!(past.heard_to_end(), "before\n");
    assert_eq!(both.heard_to_end(), "before\nafter\n");
}

pub fn input_for_one_client_ends_with_it(host: &Host) {
    host.create("box", "cat; echo over", json!({ "OpenStdin": true, "StdinOnce": true }));

    let mut client = attach(host, "box", &all());
    host.start("box");
    client.type_in("hello\n");
    client.await_text("hello");
    client.close_input();

    assert_eq!(client.heard_to_end(), "hello\nover\n");
}

pub fn terminals_are_left_by_their_keys(host: &Host) {
    host.create("box", "exec sh", json!({ "OpenStdin": true, "Tty": true }));
    let mut listener = host.engine().events().listen(None);
    let mut first = attach(host, "box", &all());
    host.start("box");

    host.block_on(host.engine().resize("box", container::Size { rows: 21, columns: 43 })).unwrap();
    first.type_in("stty size\n");
    first.await_text("21 43\r\n");
    first.type_in("\u{10}\u{11}");
    first.heard_to_end();
    let mut second = attach(host, "box", &all());
    second.type_in("echo $((40 + 2))\n");
    second.await_text("42\r\n");

    assert_eq!(host.inspect("box").state.status, "running");
    let told: Vec<_> = std::iter::from_fn(|| listener.next_past()).map(|event| event.action).collect();
    assert_eq!(told, ["attach", "connect", "start", "resize", "detach", "attach"]);
}

pub fn logs_are_read_as_asked_for(host: &Host) {
    let more = json!({
        "Labels": { "tier": "front" },
        "HostConfig": { "LogConfig": { "Type": "json-file", "Config": { "labels": "tier" } } },
    });
    host.run("box", "echo 1; echo 2; echo x >&2; echo 3", more);
    host.block_on(host.engine().wait("box", Condition::NotRunning).unwrap());
    let read = |wanted: LogsWanted| {
        let mut bytes = Vec::new();
        host.block_on(async {
            let mut logs = host.engine().logs("box", &wanted).unwrap();
            while let Some(piece) = logs.next().await {
                bytes.extend(piece);
            }
        });
        crate::host::texts(&bytes)
    };
    let both = LogsWanted { stdout: true, stderr: true, ..LogsWanted::default() };

    let all = read(LogsWanted { follow: true, ..both.clone() });
    let last = read(LogsWanted { tail: Some(1), stderr: false, ..both.clone() });
    let details = read(LogsWanted { details: true, tail: Some(1), stderr: false, ..both.clone() });
    let timed = read(LogsWanted { timestamps: true, ..both.clone() });
    let refused = host.engine().logs("box", &LogsWanted::default()).err().unwrap();

    assert_eq!(all.len(), "1\n2\nx\n3\n".len());
    assert_eq!((last.as_str(), details.as_str()), ("3\n", "tier=front 3\n"));
    assert!(timed.lines().all(|line| line.len() == "2006-01-02T15:04:05.000000000Z 1".len()), "{timed}");
    assert_eq!(refused.text(), "Bad parameters: you must choose at least one stream");
}

pub fn figures_agree_with_the_kernels(host: &Host) {
    let more = json!({ "HostConfig": { "Memory": 64 << 20, "PidsLimit": 50 } });
    let id = host.run("box", "dd if=/dev/zero of=/dev/null bs=1M count=200; exec sleep 1000", more);
    let stats = || host.block_on(host.engine().stats("box")).unwrap();
    host.eventually("it uses the processor", || stats().cpu_stats.cpu_usage.total_usage > 1_000_000);

    let running = stats();
    host.stop("box");
    let ended = stats();

    assert_eq!((running.name.as_str(), running.id.as_str()), ("/box", id.as_str()));
    assert_eq!((running.memory_stats.limit, running.pids_stats.limit), (64 << 20, 50));
    assert!(running.memory_stats.usage > 0 && running.pids_stats.current > 0);
    assert!(running.cpu_stats.system_cpu_usage > running.cpu_stats.cpu_usage.total_usage);
    let inactive =
        ["total_inactive_file", "inactive_file"].map(|name| running.memory_stats.stats.contains_key(name));
    assert!(inactive.contains(&true), "clients take the files in memory off");
    assert_eq!((ended.name.as_str(), ended.cpu_stats.cpu_usage.total_usage), ("/box", 0));
}
