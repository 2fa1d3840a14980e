//! Tasks that cannot be placed say why, in Docker's words, and go on once they can.

use crate::support::{Lab, Service, box_archive, turn};

#[test]
fn pending_tasks_say_why_and_are_placed_once_they_fit() {
    let _turn = turn();
    let lab = Lab::up("pending", 1, 2);
    let folder = tempfile::tempdir().unwrap();
    lab.load_everywhere(&box_archive(folder.path()));
    let run = "test/box:1 sleep 1000";

    let ssd = Service::create(&lab, "m1", "ssd", &format!("--constraint node.labels.disk==ssd {run}"));
    let big = Service::create(&lab, "m1", "big", &format!("--reserve-memory 100G {run}"));
    let port = Service::create(
        &lab,
        "m1",
        "port",
        &format!("--replicas 4 --publish mode=host,target=80,published=9000 {run}"),
    );
    let few = Service::create(&lab, "m1", "few", &format!("--replicas 4 --replicas-max-per-node 1 {run}"));
    let cpus = Service::create(&lab, "m1", "cpus", &format!("--reserve-cpu 1000 {run}"));
    ssd.until_error("no suitable node (scheduling constraints not satisfied on 3 nodes)");
    big.until_error("no suitable node (insufficient resources on 3 nodes)");
    cpus.until_error("no suitable node (insufficient resources on 3 nodes)");
    port.until_error("no suitable node (host-mode port already in use on 3 nodes)");
    few.until_error("no suitable node (max replicas per node limit exceed)");
    let running = |service: Service<'_>| {
        service.tasks().unwrap().iter().filter(|task| task.state.starts_with("Running")).count()
    };
    port.until("three hosts have the port", |tasks| {
        tasks.iter().filter(|task| task.is_running()).count() >= 3
    });
    assert_eq!((running(port), running(ssd), running(big)), (3, 0, 0));
    let ls = lab.drover("m1", "service ls").ok();
    assert!(ls.contains("3/4 (max 1 per node)"), "{ls}");

    lab.drover("m1", "node update --label-add disk=ssd w2").ok();
    let (tasks, _) = ssd.until_running(1);
    assert!(tasks.iter().all(|task| task.node == "w2"), "{tasks:?}");
    lab.drover("m1", "service update --detach --reserve-memory 8M big").ok();
    big.until_running(1);
    drained_node_is_empty(&lab, ssd);
}

fn drained_node_is_empty(lab: &Lab, ssd: Service<'_>) {
    lab.drover("m1", "node update --availability drain w2").ok();
    ssd.until_error("no suitable node (");
    ssd.until("nothing runs on w2", |tasks| !tasks.iter().any(|task| task.state.starts_with("Running")));
    lab.drover("m1", "node update --availability active w2").ok();
    let (tasks, _) = ssd.until_running(1);
    assert!(tasks.iter().all(|task| task.node == "w2"), "{tasks:?}");
}
