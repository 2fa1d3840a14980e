//! A worker host loses its power under load, and comes back.

use std::time::Instant;

use crate::support::{Lab, Load, Service, answers, eventually, shown, turn};

const PORT: u16 = 8080;

#[test]
fn replicas_of_a_dead_host_come_back_elsewhere_and_never_twice() {
    let _turn = turn();
    let lab = Lab::up("worker", 3, 2);
    let web = Service::create(&lab, "m1", "web", "--replicas 10 --publish 8080:8080 drover/whoami");
    let (before, _) = web.until_running(10);
    let lost = before.iter().filter(|task| task.node == "w2").count();
    assert!(lost > 0, "{before:?}");
    let living = lab.addresses(&lab.hosts_without(&["w2"]));
    let load = Load::start(&living, PORT);

    let began = Instant::now();
    lab.lab("kill", &["w2"]).ok();
    let (after, _) = web.until("ten tasks run without w2", |tasks| {
        let running: Vec<_> = tasks.iter().filter(|task| task.is_running()).collect();
        running.len() == 10 && running.iter().all(|task| task.node != "w2")
    });
    println!("{lost} replicas of w2 came back elsewhere after {}", shown(began.elapsed()));
    println!("meanwhile: {}", load.stop());
    assert!(
        before.iter().filter(|task| task.node != "w2").all(|task| after.contains(task)
            || after.iter().any(|later| later.id == task.id && later.is_running())),
        "the others went on"
    );
    for address in &living {
        eventually(10, "all replicas answer", || answers(*address, PORT, 10));
    }
    let calm = Load::start(&living, PORT);
    eventually(10, "two hundred requests", || {
        if calm.asked() >= 200 { Ok(()) } else { Err(calm.asked().to_string()) }
    });
    println!("afterwards: {}", calm.stop().all_answered());

    the_host_comes_back(&lab, web);
}

fn the_host_comes_back(lab: &Lab, web: Service<'_>) {
    let began = Instant::now();
    lab.lab("start", &["w2"]).ok();
    eventually(20, "w2 is ready again", || {
        let nodes = lab.nodes("m1")?;
        if nodes["w2"].0 == "Ready" { Ok(()) } else { Err(format!("{nodes:?}")) }
    });
    println!("w2 was ready {} after its start", shown(began.elapsed()));
    web.until_running(10);
    eventually(20, "w2 runs none of its old containers", || {
        let left = lab.live_parts("w2");
        if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
    });
    assert_eq!(lab.all_containers().len(), 10, "no doubles");
    eventually(10, "all replicas answer through w2", || answers(lab.address("w2"), PORT, 10));
    web.remove();
    lab.until_nothing_is_left();
}
