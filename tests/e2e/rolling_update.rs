//! A service is updated one task at a time, and rolled back.

use std::collections::BTreeSet;

use crate::support::{Lab, Load, Service, box_archive, eventually, shown, turn};

const STATE: &str = "{{.UpdateStatus.State}}";

#[test]
fn updates_replace_one_task_at_a_time() {
    let _turn = turn();
    let lab = Lab::up("update", 1, 2);
    let web = Service::create(
        &lab,
        "m1",
        "web",
        "--replicas 4 --publish 8080:8080 --update-monitor 200ms --rollback-monitor 200ms --update-order start-first \
         drover/whoami",
    );
    let (before, _) = web.until_running(4);
    eventually(10, "all serve", || crate::support::answers(lab.address("m1"), 8080, 4));

    let load = Load::start(&lab.addresses(&["m1", "w1", "w2"]), 8080);
    lab.drover("m1", "service update --detach --env-add COLOUR=blue web").ok();
    let fewest = converges(&lab, web, "completed");
    println!("at least {fewest} of 4 ran; {}", load.stop());
    assert!(fewest >= 3, "one at a time, but only {fewest} ran");
    let (after, _) = web.until_running(4);
    let ids = |tasks: &BTreeSet<crate::support::Task>| -> BTreeSet<String> {
        tasks.iter().map(|task| task.id.clone()).collect()
    };
    assert!(ids(&before).is_disjoint(&ids(&after)), "each task was replaced");
    let env = "{{.Spec.TaskTemplate.ContainerSpec.Env}}";
    lab.run("m1", &["drover", "service", "inspect", "web", "--format", env]).says(&["COLOUR=blue"]);

    lab.drover("m1", "service update --detach --rollback web").ok();
    converges(&lab, web, "rollback_completed");
    let said = lab.run("m1", &["drover", "service", "inspect", "web", "--format", env]).ok();
    assert!(!said.contains("COLOUR"), "{said}");

    image_is_changed(&lab, web);
    a_failing_update_pauses(&lab, web);
}

/// Waits for the end of an update, and returns the fewest tasks that ran meanwhile.
fn converges(lab: &Lab, web: Service<'_>, state: &str) -> usize {
    let mut fewest = usize::MAX;
    let (_, time) = eventually(60, &format!("the update is {state}"), || {
        let tasks = web.tasks()?;
        fewest = fewest.min(tasks.iter().filter(|task| task.state.starts_with("Running ")).count());
        let seen = lab.run("m1", &["drover", "service", "inspect", "web", "--format", STATE]).tried()?;
        if seen == state { Ok(()) } else { Err(format!("{seen}: {tasks:#?}")) }
    });
    println!("{state} after {}", shown(time));
    fewest
}

fn image_is_changed(lab: &Lab, web: Service<'_>) {
    let folder = tempfile::tempdir().unwrap();
    lab.load_everywhere(&box_archive(folder.path()));
    lab.drover("m1", "service update --detach --image test/box:1 --args 'sleep 1000' web").ok();
    converges(lab, web, "completed");
    let (tasks, _) = web.until_running(4);
    assert!(tasks.iter().all(|task| task.image.starts_with("test/box:1")), "{tasks:?}");
}

fn a_failing_update_pauses(lab: &Lab, web: Service<'_>) {
    lab.drover("m1", "service update --detach --args 'sh -c false' --update-delay 1s web").ok();
    converges(lab, web, "paused");
    let message = "{{.UpdateStatus.Message}}";
    lab.run("m1", &["drover", "service", "inspect", "web", "--format", message])
        .says(&["update paused due to failure or early termination of task"]);
    let still = web.tasks().unwrap().iter().filter(|task| task.is_running()).count();
    assert!(still >= 3, "the others go on: {still}");
    lab.drover("m1", "service rollback --detach web").ok();
    web.until_running(4);
}
