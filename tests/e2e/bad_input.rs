//! What a user gets wrong, and what a host has not: clear errors, and nothing lost.

use std::path::Path;

use crate::support::{Lab, Running, Said, Service, answers, ask, eventually, turn};

/// How much a service adds to the log when the disk is to fill up.
const LABEL_BYTES: usize = 50_000;
const SERVICES_MAX: usize = 2000;

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
    let pid_file = lab.folder("w1").join("squatter.pid");
    let line = format!("echo $$ > {}; exec busybox httpd -f -p 8080", pid_file.display());
    let _squatter = Running::start(lab.on("w1", &["sh", "-c", &line]));
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
    lab.sh("w1", &format!("kill $(cat {})", pid_file.display())).ok();
    eventually(10, "w1 serves once the port is free", || answers(lab.address("w1"), 8080, 3));
    open.remove();
    lab.until_nothing_is_left();
}

/// A host with a small disk: a daemon on a tmpfs, outside of any lab's data.
#[test]
fn full_disk_refuses_writes_and_loses_none() {
    let _turn = turn();
    let lab = Lab::up_with("full", 1, 0, &["--no-init"]);
    let small = lab.folder("m1").join("small");
    let socket = lab.folder("m1").join("small.sock");
    std::fs::create_dir_all(&small).unwrap();
    let at = small.display();
    let host = format!("--host unix://{}", socket.display());
    let serve = format!(
        "mount -t tmpfs -o size=64m tmpfs {at} && exec drover daemon --hostname small --data-root {at} \
         --exec-root /run/small --cgroup-parent drover-{}-m1 --listen unix://{}",
        lab.name(),
        socket.display()
    );
    let daemon = Running::start(lab.on("m1", &["sh", "-c", &serve]));
    let drover = |words: &str| lab.drover("m1", &format!("{host} {words}"));
    eventually(20, "the second daemon answers", || drover("version").tried());
    drover(&format!("swarm init --advertise-addr {} --listen-addr 0.0.0.0:2377", lab.address("m1"))).ok();

    let mut kept = Vec::new();
    let refused = fill(&lab, &small, &drover, &mut kept);
    println!("after {} services: {refused}", kept.len());
    assert!(refused.contains("disk") || refused.contains("space"), "{refused}");
    let has_all = || {
        let names = drover("service ls --format '{{.Name}}'").tried()?;
        let missing = kept.iter().find(|name| !names.lines().any(|line| line == name.as_str()));
        missing.map_or(Ok(()), |name| Err(format!("{name} is lost")))
    };
    has_all().unwrap();
    lab.sh("m1", &format!("rm {at}/filler")).ok();
    eventually(10, "writes are taken again", || {
        drover("service create --detach --name after --replicas 0 drover/whoami").tried()
    });
    has_all().unwrap();
    drop(daemon);
}

/// Fills the disk and creates services until one is refused; returns the refusal.
fn fill(lab: &Lab, small: &Path, drover: &dyn Fn(&str) -> Said, kept: &mut Vec<String>) -> String {
    drover("service create --detach --name before --replicas 0 drover/whoami").ok();
    kept.push("before".to_owned());
    // It ends with an error, since it writes until nothing fits.
    lab.sh("m1", &format!("dd if=/dev/zero of={}/filler bs=64k", small.display()));
    // A long label uses up what the log had set aside with fewer requests.
    let label = "x".repeat(LABEL_BYTES);
    for n in 0..SERVICES_MAX {
        let name = format!("kept{n}");
        let words = format!("service create --detach --name {name} --replicas 0 --label l={label}");
        let said = drover(&format!("{words} drover/whoami"));
        if !said.is_ok() {
            return said.err;
        }
        kept.push(name);
    }
    panic!("{SERVICES_MAX} services fitted on a full disk");
}
