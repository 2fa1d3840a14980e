//! How containers end: by their limits, by themselves, by a signal, by force.

use std::time::Instant;

use crate::support::{Lab, Service, box_archive, shown, turn};

#[test]
fn ends_of_containers_are_told_as_in_docker() {
    let _turn = turn();
    let lab = Lab::up("ends", 1, 1);
    let folder = tempfile::tempdir().unwrap();
    lab.load_everywhere(&box_archive(folder.path()));
    exits(&lab);
    limits(&lab);
    stops(&lab);
}

fn exits(lab: &Lab) {
    let seven = Service::create(
        lab,
        "m1",
        "seven",
        "--restart-delay 300ms --restart-max-attempts 2 test/box:1 sh -c 'exit 7'",
    );
    let once = Service::create(lab, "m1", "once", "--restart-condition none test/box:1 sh -c 'exit 3'");
    let good = Service::create(lab, "m1", "good", "--restart-condition on-failure test/box:1 sh -c 'exit 0'");
    let none = Service::create(lab, "m1", "none", "--restart-condition none test/box:1 nosuchprogram");
    let (tasks, _) = seven.until("three failures and no more", |tasks| {
        tasks.len() == 3 && tasks.iter().all(|task| task.state.starts_with("Failed"))
    });
    assert!(tasks.iter().all(|task| task.error == "task: non-zero exit (7)"), "{tasks:?}");
    let task = once.until_error("task: non-zero exit (3)");
    assert!(task.state.starts_with("Failed"), "{task:?}");
    good.until("one complete task", |tasks| tasks.iter().all(|task| task.state.starts_with("Complete")));
    none.until_error("executable file not found in $PATH");
    for (service, count) in [(once, 1), (good, 1), (none, 1)] {
        assert_eq!(service.tasks().unwrap().len(), count, "it is not tried again");
    }
    [seven, once, good, none].iter().for_each(Service::remove);
}

fn limits(lab: &Lab) {
    let greedy = Service::create(
        lab,
        "m1",
        "greedy",
        "--limit-memory 16M --restart-condition none test/box:1 tail /dev/zero",
    );
    let task = greedy.until_error("non-zero exit (137)");
    assert!(task.error.contains("memory"), "{task:?}");
    let crowd = Service::create(
        lab,
        "m1",
        "crowd",
        "--limit-pids 8 --restart-condition none test/box:1 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; wait'",
    );
    crowd.until("it cannot fork", |tasks| tasks.iter().all(|task| task.state.starts_with("Failed")));
    let said = lab.drover("m1", "service logs crowd");
    assert!(said.err.contains("can't fork: Resource temporarily unavailable"), "{said:?}");
    [greedy, crowd].iter().for_each(Service::remove);
}

fn stops(lab: &Lab) {
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let usr = polite.replace("TERM", "USR1");
    let deaf = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let cases = [
        ("polite", "", polite, 0.0, 3.0),
        ("signal", "--stop-signal SIGUSR1", usr.as_str(), 0.0, 3.0),
        ("deaf", "--stop-grace-period 1s", deaf, 0.9, 4.0),
    ];
    for (name, flags, script, least, most) in cases {
        // The shell's own quotes would end those of the words.
        let script = script.replace('\'', "\"");
        let words = format!("{flags} test/box:1 sh -c '{script}'");
        let service = Service::create(lab, "m1", name, words.trim());
        service.until_running(1);
        crate::support::eventually(10, "it is up", || {
            lab.drover("m1", &format!("service logs {name}"))
                .tried()
                .and_then(|text| if text.contains("up") { Ok(()) } else { Err(text) })
        });
        let began = Instant::now();
        lab.drover("m1", &format!("service scale --detach {name}=0")).ok();
        crate::support::eventually(20, "it is stopped", || {
            if lab.all_containers().is_empty() { Ok(()) } else { Err("it runs".to_owned()) }
        });
        let time = began.elapsed();
        println!("{name} ended after {}", shown(time));
        assert!((least..most).contains(&time.as_secs_f64()), "{name}: {}", shown(time));
        service.remove();
    }
    lab.until_nothing_is_left();
}
