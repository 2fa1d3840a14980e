//! From nothing to ten replicas, and back to nothing.

use std::collections::BTreeSet;

use crate::support::{Lab, Service, answers, eventually, shown, turn};

#[test]
fn five_hosts_run_a_service_and_keep_nothing_of_it() {
    let _turn = turn();
    let lab = Lab::up_with("steps", 3, 2, &["--no-init"]);
    init_and_join(&lab);

    let web = Service::create(&lab, "m1", "web", "--replicas 3 --publish 8080:8080 drover/whoami");
    let (tasks, time) = web.until_running(3);
    println!("3/3 running after {}", shown(time));
    let nodes: BTreeSet<&str> = tasks.iter().map(|task| task.node.as_str()).collect();
    assert_eq!(nodes.len(), 3, "spread over three hosts: {tasks:?}");
    every_host_answers(&lab, 3);
    logs_tell_of_every_task(&lab);

    let scale = lab.on("m1", &["drover", "service", "scale", "--detach", "web=10"]).output().unwrap();
    assert!(scale.status.success(), "{scale:?}");
    let (_, time) = web.until_running(10);
    println!("10/10 running after {}", shown(time));
    every_host_answers(&lab, 10);
    lists_agree(&lab);

    web.remove();
    lab.until_nothing_is_left();
    lab.drover("m1", "service ls -q").says(&[""]);
    lab.drover("m1", "service ps web").refused(&["no such service: web"]);
}

fn init_and_join(lab: &Lab) {
    let first = lab.address("m1");
    lab.drover("m1", "node ls").refused(&["This node is not a swarm manager"]);
    lab.drover("m1", &format!("swarm init --advertise-addr {first}")).says(&[
        "Swarm initialized: current node",
        "is now a manager.",
        "swarm join --token SWMTKN-1-",
        &format!("{first}:2377"),
    ]);
    for (role, hosts) in [("manager", ["m2", "m3"]), ("worker", ["w1", "w2"])] {
        let token = lab.drover("m1", &format!("swarm join-token -q {role}")).ok();
        for host in hosts {
            lab.drover(host, &format!("swarm join --token {token} {first}:2377"))
                .says(&[&format!("This node joined a swarm as a {role}.")]);
        }
    }
    eventually(10, "five ready nodes, three of them managers", || {
        let nodes = lab.nodes("m2")?;
        let is_ready = nodes.len() == 5 && nodes.values().all(|(status, _)| status == "Ready");
        let managers = nodes.values().filter(|(_, manager)| !manager.is_empty()).count();
        if is_ready && managers == 3 { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
}

fn every_host_answers(lab: &Lab, count: usize) {
    for host in lab.hosts() {
        let address = lab.address(host);
        eventually(10, &format!("{count} replicas answer through {host}"), || answers(address, 8080, count));
        let url = "http://localhost:8080/";
        lab.run(host, &["curl", "-sS", url]).says(&["service: web"]);
    }
}

fn logs_tell_of_every_task(lab: &Lab) {
    let text = lab.drover("m2", "service logs web").ok();
    for slot in ["web.1.", "web.2.", "web.3."] {
        assert!(text.contains(slot), "the log names {slot}: {text}");
    }
    let raw = lab.drover("m2", "service logs --raw --tail 1 web").ok();
    assert_eq!(raw.lines().count(), 3, "the last line of three tasks: {raw}");
}

fn lists_agree(lab: &Lab) {
    for host in ["m1", "m2", "m3"] {
        lab.drover(host, "service ls").says(&["web", "replicated", "10/10", "*:8080->8080/tcp"]);
        let ps = lab.drover(host, "service ps -q --filter desired-state=running web").ok();
        assert_eq!(ps.lines().count(), 10, "{ps}");
        let format = "{{.Spec.Name}} {{.Spec.Mode.Replicated.Replicas}}";
        let said = lab.run(host, &["drover", "service", "inspect", "web", "--format", format]);
        assert_eq!(said.ok(), "web 10");
    }
    lab.drover("w1", "service ls").refused(&["This node is not a swarm manager"]);
}
