//! A manager and a worker are cut off from the rest.

use crate::support::{Lab, Service, answers, eventually, shown, turn};

#[test]
fn the_smaller_part_decides_nothing_and_agrees_afterwards() {
    let _turn = turn();
    let lab = Lab::up("cut", 3, 2);
    let web = Service::create(&lab, "m1", "web", "--replicas 5 --publish 8080:8080 drover/whoami");
    web.until_running(5);
    let leader = lab.leader("m1").unwrap();
    let other = *["m1", "m2", "m3"].iter().find(|host| **host != leader).unwrap();
    let before = lab.all_containers();

    lab.lab("partition", &[&leader, "w1"]).ok();
    let (_, time) = eventually(20, "the larger part has a leader", || {
        lab.drover(other, "service create --detach --name large --replicas 0 drover/whoami").tried()
    });
    println!("the larger part wrote {} after the cut", shown(time));
    the_smaller_part_refuses(&lab, &leader);
    web.seen_from(other).until("the cut-off tasks are replaced", |tasks| {
        let running: Vec<_> = tasks.iter().filter(|task| task.is_running()).collect();
        running.len() == 5 && running.iter().all(|task| task.node != "w1" && task.node != leader)
    });
    eventually(10, "the larger part serves", || answers(lab.address("w2"), 8080, 5));
    let kept = lab.containers("w1");
    assert!(kept.iter().all(|(id, pids)| before.get(id) == Some(pids)), "the cut-off worker goes on");
    assert!(!kept.is_empty());

    lab.lab("heal", &[]).ok();
    let (_, time) = eventually(30, "all managers agree", || {
        let seen: Vec<_> = ["m1", "m2", "m3"].iter().map(|host| lab.nodes(host)).collect::<Result<_, _>>()?;
        let is_well = |(status, manager): &(String, String)| status == "Ready" && manager != "Unreachable";
        let agree = seen.windows(2).all(|pair| pair[0] == pair[1]);
        if agree && seen[0].values().all(is_well) { Ok(()) } else { Err(format!("{seen:#?}")) }
    });
    println!("all agreed {} after healing", shown(time));
    web.seen_from(&leader).until_running(5);
    eventually(20, "no doubles", || {
        let all = lab.all_containers();
        if all.len() == 5 { Ok(()) } else { Err(format!("{} containers", all.len())) }
    });
    for host in ["m1", "m2", "m3"] {
        let names = lab.drover(host, "service ls --format '{{.Name}}'").ok();
        assert!(names.contains("large") && !names.contains("small"), "{host}: {names}");
    }
}

fn the_smaller_part_refuses(lab: &Lab, leader: &str) {
    eventually(20, "the old leader gives up", || {
        let said = lab.drover(leader, "service create --detach --name small --replicas 0 drover/whoami");
        assert!(!said.is_ok(), "a minority accepted a write");
        if said.err.contains("The swarm does not have a leader") { Ok(()) } else { Err(said.err) }
    });
}
