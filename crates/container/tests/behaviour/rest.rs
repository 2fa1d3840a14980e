//! Containers that are not running, and what becomes of them.

use std::fs;

use container::{Error, Phase, Spec};

use crate::host::{Host, eventually, processes_naming};

pub fn container_laid_out_costs_no_process_and_is_found_again(host: &Host) {
    host.lay_out(&host.script("laid", "echo ran"));
    assert_eq!(processes_naming(host.dir.path().to_str().unwrap()), 0);
    let again = host.runtime.block_on(host.handle().lay_out(&host.script("laid", "true")));
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");

    host.reopen();

    assert_eq!(host.handle().status("laid").unwrap().phase, Phase::Created);
    host.start("laid");
    assert_eq!((host.wait("laid").code, host.said("laid").as_str()), (0, "ran\n"));
}

pub fn stopped_container_is_redefined(host: &Host) {
    host.lay_out(&host.script("changing", "echo first"));
    let redefine = |spec: &Spec| host.runtime.block_on(host.handle().redefine(spec));

    redefine(&host.script("changing", "echo second > /kept; sleep 100")).unwrap();
    host.start("changing");
    let kept = host.dir.path().join("root/changing/upper/kept");
    eventually(|| fs::read_to_string(&kept).is_ok_and(|text| text == "second\n"));
    let refused = redefine(&host.script("changing", "true"));
    assert!(matches!(refused, Err(Error::Running { .. })), "{refused:?}");
    host.runtime.block_on(host.handle().stop("changing", None, std::time::Duration::ZERO)).unwrap();
    redefine(&host.script("changing", "cat /kept")).unwrap();
    host.reopen();
    host.start("changing");

    assert_eq!((host.wait("changing").code, host.said("changing").as_str()), (0, "second\n"));
}

pub fn parked_process_ends_when_its_container_is_redefined(host: &Host) {
    // As if the daemon had been killed between making ready and starting.
    host.runtime.block_on(host.handle().create(&host.script("parked", "echo first"))).unwrap();
    host.reopen();

    host.runtime.block_on(host.handle().redefine(&host.script("parked", "echo second"))).unwrap();

    let phase = host.handle().status("parked").unwrap().phase;
    host.start("parked");
    assert_eq!(phase, Phase::Created);
    assert_eq!((host.wait("parked").code, host.said("parked").as_str()), (0, "second\n"));
}

pub fn what_is_half_made_is_cleaned_and_what_was_whole_is_kept(host: &Host) {
    for id in ["half", "fresh", "ended"] {
        host.lay_out(&host.script(id, "exit 4"));
    }
    host.start("ended");
    host.wait("ended");
    let dir = |id: &str| host.dir.path().join("root").join(id);
    // As if the daemon had been killed: while laying out, and while making ready for another run.
    fs::remove_file(dir("half").join("created")).unwrap();
    fs::write(dir("ended").join("created"), "").unwrap();
    fs::remove_file(dir("ended").join("started.json")).unwrap();

    host.reopen();

    assert!(host.handle().status("half").is_err());
    assert_eq!(host.handle().status("fresh").unwrap().phase, Phase::Created);
    assert!(matches!(host.handle().status("ended").unwrap().phase, Phase::Exited(exit) if exit.code == 4));
}

pub fn many_starts_at_once_make_one_run(host: &Host) {
    host.lay_out(&host.script("once", "echo run; sleep 100"));
    let containers = host.handle();

    let pids = host.runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let containers = containers.clone();
            tasks.spawn(async move { containers.start("once").await.map(|started| started.pid) });
        }
        tasks.join_all().await
    });

    let pid = host.pid("once");
    assert!(pids.iter().all(|found| found.as_ref().is_ok_and(|found| *found == pid)), "{pids:?}");
    host.await_said("once", "run\n");
    assert_eq!(host.said("once"), "run\n");
}
