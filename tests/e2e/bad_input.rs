//! What a user gets wrong, and what a host has not: clear errors, and nothing lost.

use std::process::{Child, Stdio};

use crate::support::{Lab, Service, answers, ask, eventually, turn};

struct Squatter(Child);

impl Drop for Squatter {
    fn drop(&mut self) {
        // The lab may have ended it already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn wrong_input_is_refused_with_words_that_help() {
    let _turn = turn();
    let lab = Lab::up("input", 1, 2);
    flags_and_names(&lab);
    versions(&lab);
    ports(&lab);
}

fn flags_and_names(lab: &Lab) {
    let said = lab.drover("m1", "service create --replicsa 3 drover/whoami");
    assert_eq!(said.code, Some(125), "{said:?}");
    said.refused(&["--replicsa", "--replicas"]);
    lab.drover("m1", "service crate").refused(&["crate"]);
    lab.drover("m1", "service create").refused(&["IMAGE"]);
    let refused = [
        ("--publish 99999:80", "99999"),
        ("--publish abc", "abc"),
        ("--publish mode=hst,target=80", "hst"),
        ("--replicas -1", "-1"),
        ("--replicas x", "x"),
        ("--limit-memory lots", "lots"),
        ("--constraint nonsense", "nonsense"),
        ("--name 'two words'", "two words"),
        ("--restart-condition maybe", "maybe"),
        ("--mode singular", "singular"),
        ("--network nowhere", "nowhere"),
    ];
    for (flags, word) in refused {
        lab.drover("m1", &format!("service create --detach {flags} drover/whoami")).refused(&[word]);
    }
    lab.drover("m1", "service create --detach 'UPPER//case'").refused(&["UPPER//case"]);
    lab.drover("m1", "service scale nothing=3").refused(&["nothing"]);
    lab.drover("m1", "service scale nothing").refused(&["nothing"]);
    lab.drover("m1", "service inspect nothing").refused(&["no such service: nothing"]);
    lab.drover("m1", "node inspect nothing").refused(&["nothing"]);
    assert_eq!(lab.drover("m1", "service ls -q").ok(), "", "nothing half-made stays");
}

fn versions(lab: &Lab) {
    Service::create(lab, "m1", "web", "--replicas 0 drover/whoami");
    lab.drover("m1", "service create --detach --name web drover/whoami")
        .refused(&["name conflicts with an existing object: service web already exists"]);
    let socket = lab.folder("m1").join("drover.sock");
    let post = |path: &str, body: &str| {
        let line = format!(
            "curl -sS -w ' %{{http_code}}' --unix-socket {} -H 'Content-Type: application/json' -d '{body}' \
             'http://d/v1.44{path}'",
            socket.display()
        );
        lab.sh("m1", &line).ok()
    };
    let text = post("/services/create", r#"{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"a"}}}"#);
    assert!(text.ends_with(" 409") && text.contains("already exists"), "{text}");
    let spec = r#"{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"drover/whoami"}}}"#;
    let text = post("/services/web/update?version=1", spec);
    assert!(text.ends_with(" 500") && text.contains("update out of sequence"), "{text}");
    let text = post("/services/web/update", spec);
    assert!(text.ends_with(" 400"), "{text}");
    let text = post("/services/create", "{ nonsense");
    assert!(text.ends_with(" 400"), "{text}");
    let text = post("/nowhere", "{}");
    assert!(text.ends_with(" 404"), "{text}");
}

fn ports(lab: &Lab) {
    let squatter = lab.on("w1", &["busybox", "httpd", "-f", "-p", "8080"]);
    let squatter = squat(squatter);
    eventually(10, "the port is taken", || {
        lab.sh("w1", "curl -s -o /dev/null http://localhost:8080/").tried()
    });
    let open = Service::create(lab, "m1", "open", "--replicas 3 --publish 8080:8080 drover/whoami");
    open.until_running(3);
    for host in ["m1", "w2"] {
        eventually(10, &format!("{host} serves"), || answers(lab.address(host), 8080, 3));
    }
    lab.drover("m1", "service create --detach --name other --publish 8080:80 drover/whoami")
        .refused(&["port '8080' is already in use by service 'open'", "as an ingress port"]);
    assert!(ask(lab.address("w1"), 8080).is_err(), "another process has the port there");
    let log = std::fs::read_to_string(lab.folder("w1").join("daemon.log")).unwrap();
    assert!(log.contains("8080"), "the daemon names the port it cannot open");
    drop(squatter);
    eventually(10, "w1 serves once the port is free", || answers(lab.address("w1"), 8080, 3));
    open.remove();
    lab.until_nothing_is_left();
}

fn squat(mut command: std::process::Command) -> Squatter {
    Squatter(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}
