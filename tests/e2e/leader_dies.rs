//! The leader's daemon is killed under load, and then every manager's at once.

use std::time::Instant;

use crate::support::{Lab, Load, Service, eventually, shown, turn};

const PORT: u16 = 8080;

#[test]
fn killed_leader_costs_no_container_no_request_and_no_write() {
    let _turn = turn();
    let lab = Lab::up("leader", 3, 2);
    let web = Service::create(&lab, "m1", "web", "--replicas 10 --publish 8080:8080 drover/whoami");
    web.until_running(10);
    let leader = lab.leader("m1").unwrap();
    let other = *["m1", "m2", "m3"].iter().find(|host| **host != leader).unwrap();

    the_others_go_on(&lab, web, &leader, other);
    acknowledged_writes_survive_all_managers(&lab, web);
    a_daemon_that_stays_away_is_replaced(&lab);
}

fn the_others_go_on(lab: &Lab, web: Service<'_>, leader: &str, other: &str) {
    let before = lab.all_containers();
    let load = Load::start(&lab.addresses(&lab.hosts_without(&[leader])), PORT);

    lab.lab("kill", &["--daemon", leader]).ok();
    let (_, time) = eventually(20, "a write without the old leader", || {
        lab.drover(other, "service create --detach --name proof --replicas 0 drover/whoami").tried()
    });
    println!("the next write was accepted after {}", shown(time));
    web.seen_from(other).until_running(10);
    let began = Instant::now();
    lab.lab("start", &[leader]).ok();
    eventually(20, "the old leader catches up", || {
        lab.drover(leader, "service inspect proof").tried()?;
        let (there, here) = (lab.nodes(other)?, lab.nodes(leader)?);
        let is_well = |(status, manager): &(String, String)| status == "Ready" && manager != "Unreachable";
        if there == here && here.values().all(is_well) { Ok(()) } else { Err(format!("{there:?} {here:?}")) }
    });
    println!("{leader} caught up {} after its start", shown(began.elapsed()));
    println!("{}", load.stop().all_answered());
    assert_eq!(lab.all_containers(), before, "no container stopped");
    lab.drover(leader, "service rm proof").ok();
}

fn acknowledged_writes_survive_all_managers(lab: &Lab, web: Service<'_>) {
    let before = lab.all_containers();
    let load = Load::start(&lab.addresses(&["w1", "w2"]), PORT);
    let names: Vec<String> = (1..=5).map(|n| format!("kept{n}")).collect();
    for name in &names {
        lab.drover("m2", &format!("service create --detach --name {name} --replicas 0 drover/whoami")).ok();
    }

    lab.lab("kill", &["--daemon", "m1", "m2", "m3"]).ok();
    let began = Instant::now();
    lab.lab("start", &["m1", "m2", "m3"]).ok();
    // A write proves a leader; until there is one, a manager's lists may lack what only its log holds.
    eventually(30, "a write after the start of all managers", || {
        lab.drover("m3", "service create --detach --name later --replicas 0 drover/whoami").tried()
    });
    println!("the next write was accepted {} after the start of all managers", shown(began.elapsed()));
    for host in ["m1", "m2", "m3"] {
        // What was lost never comes back, so waiting hides no loss.
        eventually(10, &format!("{host} keeps every acknowledged write"), || {
            let kept = lab.drover(host, "service ls --format '{{.Name}}'").tried()?;
            let missing = names.iter().find(|name| !kept.lines().any(|line| line == name.as_str()));
            missing.map_or(Ok(()), |name| Err(format!("{name} is missing among {kept}")))
        });
    }
    web.until_running(10);
    println!("{}", load.stop().all_answered());
    assert_eq!(lab.all_containers(), before, "no container stopped");
}

/// Its containers go on where nobody hears of them, so others take their place, and they end when it is back.
fn a_daemon_that_stays_away_is_replaced(lab: &Lab) {
    let leader = lab.leader("m2").unwrap();
    let other = *["m1", "m2", "m3"].iter().find(|host| **host != leader).unwrap();
    let web = Service::named(lab, other, "web");
    lab.lab("kill", &["--daemon", &leader]).ok();
    let (_, time) = eventually(20, "the dead manager is seen", || {
        let nodes = lab.nodes(other)?;
        let seen = &nodes[leader.as_str()];
        if seen.0 == "Down" && seen.1 == "Unreachable" { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
    println!("{leader} was seen to be down after {}", shown(time));
    web.until("ten tasks run elsewhere", |tasks| {
        let running: Vec<_> = tasks.iter().filter(|task| task.is_running()).collect();
        running.len() == 10 && running.iter().all(|task| task.node != leader)
    });
    lab.lab("start", &[&leader]).ok();
    eventually(20, "no doubles", || {
        let count = lab.all_containers().len();
        if count == 10 { Ok(()) } else { Err(format!("{count} containers")) }
    });
    web.until_running(10);
    web.remove();
    lab.until_nothing_is_left();
}
