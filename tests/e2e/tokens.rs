//! Who may join, as what, and how one leaves.

use crate::support::{Lab, Service, eventually, turn};

#[test]
fn tokens_and_leaving_work_as_in_docker() {
    let _turn = turn();
    let lab = Lab::up_with("tokens", 2, 2, &["--no-init"]);
    let first = lab.address("m1");
    let remote = format!("{first}:2377");
    lab.drover("m1", "swarm join-token worker").refused(&["This node is not a swarm manager"]);
    lab.drover("m1", "swarm leave").refused(&["This node is not part of a swarm"]);
    lab.drover("m1", &format!("swarm init --advertise-addr {first}")).ok();
    lab.drover("m1", &format!("swarm init --advertise-addr {first}"))
        .refused(&["This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm"]);
    bad_tokens_are_refused(&lab, &remote);
    let worker = lab.drover("m1", "swarm join-token --rotate -q worker").ok();
    let manager = lab.drover("m1", "swarm join-token -q manager").ok();

    lab.drover("w1", &format!("swarm join --token {worker} {remote}")).says(&["joined a swarm as a worker"]);
    lab.drover("w1", &format!("swarm join --token {worker} {remote}")).refused(&["already part of a swarm"]);
    lab.drover("w1", "node ls").refused(&["This node is not a swarm manager"]);
    lab.drover("m2", &format!("swarm join --token {manager} {remote}"))
        .says(&["joined a swarm as a manager"]);
    lab.drover("w2", &format!("swarm join --token {worker} {remote}")).ok();
    ready(&lab, 4);
    a_worker_leaves(&lab, &worker, &remote);
    managers_leave(&lab);
}

fn ready(lab: &Lab, count: usize) {
    eventually(10, &format!("{count} nodes are ready"), || {
        let nodes = lab.nodes("m1")?;
        let ready = nodes.values().filter(|(status, _)| status == "Ready").count();
        if ready == count { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
}

fn bad_tokens_are_refused(lab: &Lab, remote: &str) {
    let good = lab.drover("m1", "swarm join-token -q worker").ok();
    let join = |token: &str, to: &str| lab.drover("w1", &format!("swarm join --token {token} {to}"));
    join("SWMTKN-1-nonsense", remote).refused(&["invalid join token"]);
    join("nonsense", remote).refused(&["invalid join token"]);
    let (rest, secret) = good.rsplit_once('-').unwrap();
    let wrong = format!("{rest}-{}", "0".repeat(secret.len()));
    join(&wrong, remote).refused(&["A valid join token is necessary to join this cluster"]);
    let (_, ca) = rest.rsplit_once('-').unwrap();
    let other = format!("SWMTKN-1-{}-{secret}", "1".repeat(ca.len()));
    join(&other, remote).refused(&["remote CA does not match fingerprint"]);
    lab.drover("m1", "swarm join-token --rotate -q worker").ok();
    join(&good, remote).refused(&["A valid join token is necessary to join this cluster"]);
    let dead = format!("{}:2377", lab.address("w2"));
    join(&good, &dead).refused(&[&lab.address("w2").to_string()]);
    lab.drover("w1", "info --format '{{.Swarm.LocalNodeState}}'");
    lab.drover("w1", "swarm leave").refused(&["This node is not part of a swarm"]);
    let swarm = lab.folder("w1").join("data/swarm");
    let left: Vec<_> = std::fs::read_dir(swarm).map(|all| all.flatten().collect()).unwrap_or_default();
    assert!(left.is_empty(), "a refused join leaves nothing: {left:?}");
}

fn a_worker_leaves(lab: &Lab, token: &str, remote: &str) {
    let web = Service::create(lab, "m1", "web", "--replicas 4 drover/whoami");
    web.until_running(4);
    lab.drover("m1", "node rm w1").refused(&["is not down and can't be removed"]);
    lab.drover("w1", "swarm leave").says(&["Node left the swarm."]);
    assert!(lab.records("w1").is_empty(), "leaving takes all containers along");
    // The kernel takes the links of a namespace away in its own time.
    eventually(10, "leaving takes all parts of containers along", || {
        let parts = lab.live_parts("w1");
        if parts.is_empty() { Ok(()) } else { Err(format!("{parts:?}")) }
    });
    eventually(10, "w1 is down", || {
        let nodes = lab.nodes("m1")?;
        if nodes["w1"].0 == "Down" { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
    lab.drover("m1", "node rm w1").says(&["w1"]);
    lab.drover("m1", "node rm w1").refused(&["w1"]);
    lab.drover("w1", &format!("swarm join --token {token} {remote}")).ok();
    ready(lab, 4);
    web.until_running(4);
    lab.drover("m1", "node rm --force w2").ok();
    web.until("nothing runs on w2", |tasks| {
        let running: Vec<_> = tasks.iter().filter(|task| task.is_running()).collect();
        running.len() == 4 && running.iter().all(|task| task.node != "w2")
    });
    lab.drover("w2", "swarm leave").says(&["Node left the swarm."]);
    let parts = lab.live_parts("w2");
    assert!(parts.is_empty(), "a removed node that leaves takes its containers along: {parts:?}");
}

fn managers_leave(lab: &Lab) {
    let text = lab.drover("m2", "swarm leave").refused(&[
        "You are attempting to leave the swarm on a node that is participating as a manager.",
        "--force",
    ]);
    assert!(text.contains("1 managers out of 2"), "{text}");
    lab.drover("m2", "swarm leave --force").says(&["Node left the swarm."]);
    lab.drover("m1", "service create --detach --name after --replicas 0 drover/whoami").ok();
    lab.drover("m1", "swarm leave")
        .refused(&["Removing the last manager erases all current state of the swarm"]);
    lab.drover("m1", "swarm leave --force").says(&["Node left the swarm."]);
    lab.drover("m1", "service ls").refused(&["This node is not a swarm manager"]);
    let first = lab.address("m1");
    lab.drover("m1", &format!("swarm init --advertise-addr {first}")).ok();
    assert_eq!(lab.drover("m1", "service ls -q").ok(), "", "a fresh cluster knows nothing of the former");
}
