//! Daemons end and begin; containers and published ports do not notice.

use std::time::Instant;

use crate::support::{Lab, Load, Service, answers, eventually, shown, turn};

const PORT: u16 = 8080;

#[test]
fn containers_go_on_without_their_daemon_and_without_managers() {
    let _turn = turn();
    let lab = Lab::up("restart", 1, 2);
    let web = Service::create(&lab, "m1", "web", "--replicas 6 --publish 8080:8080 drover/whoami");
    web.until_running(6);
    eventually(10, "w1 serves", || answers(lab.address("w1"), PORT, 6));
    let before = lab.all_containers();

    for signal in ["TERM", "KILL"] {
        a_worker_daemon_ends(&lab, web, signal);
        assert_eq!(lab.all_containers(), before, "no container stopped with SIG{signal}");
    }
    let lost = a_worker_goes_on_alone(&lab);
    web.until_running(6);
    let after = lab.all_containers();
    let kept = before.iter().filter(|(id, pids)| after.get(*id) == Some(pids)).count();
    assert!(
        kept == 5 && !after.contains_key(&lost),
        "only the killed one was replaced: {before:?} {after:?}"
    );
    eventually(10, "w1 serves", || answers(lab.address("w1"), PORT, 6));
}

fn a_worker_daemon_ends(lab: &Lab, web: Service<'_>, signal: &str) {
    let load = Load::start(&lab.addresses(&["m1", "w2"]), PORT);
    let pid = lab.daemon("w1").unwrap();
    lab.sh("w1", &format!("kill -{signal} {pid}")).ok();
    eventually(20, "the daemon is gone", || match lab.daemon("w1") {
        Some(pid) => Err(format!("{pid} lives")),
        None => Ok(()),
    });
    let began = Instant::now();
    lab.lab("start", &["w1"]).ok();
    eventually(20, "w1 serves again", || answers(lab.address("w1"), PORT, 6));
    println!("after SIG{signal} w1 served {} after its start", shown(began.elapsed()));
    eventually(20, "w1 is ready", || {
        let nodes = lab.nodes("m1")?;
        if nodes["w1"].0 == "Ready" { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
    web.until_running(6);
    println!("meanwhile: {}", load.stop().all_answered());
}

/// No manager can be reached, and then the agent is started anew: what it knows is in its journal. One of its
/// containers is killed meanwhile; returns which.
fn a_worker_goes_on_alone(lab: &Lab) -> String {
    lab.lab("kill", &["--daemon", "m1"]).ok();
    let load = Load::start(&lab.addresses(&["w2"]), PORT);
    lab.lab("kill", &["--daemon", "w1"]).ok();
    let began = Instant::now();
    lab.lab("start", &["w1"]).ok();
    eventually(20, "w1 serves without any manager", || answers(lab.address("w1"), PORT, 6));
    println!("without any manager w1 served {} after its start", shown(began.elapsed()));
    println!("meanwhile: {}", load.stop().all_answered());

    let (victim, pids) = lab.containers("w1").into_iter().next().unwrap();
    for pid in &pids {
        lab.sh("w1", &format!("kill -KILL {pid}")).ok();
    }
    lab.lab("start", &["m1"]).ok();
    eventually(20, "all nodes are ready", || {
        let nodes = lab.nodes("m1")?;
        if nodes.values().all(|(status, _)| status == "Ready") { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
    victim
}
