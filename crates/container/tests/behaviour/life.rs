//! From creation to removal.

use std::time::{Duration, Instant};

use container::{Error, Phase, Removal, Signal, Spec};
use nix::sys::signal::{Signal as Kernel, kill};
use nix::unistd::Pid;

use crate::host::{Host, eventually};

pub fn exit_code_and_signals_are_reported(host: &Host) {
    assert_eq!(host.output(&host.script("seven", "exit 7")).0.code, 7);

    host.run(&host.script("killed", "sleep 100"));
    host.runtime.block_on(host.handle().signal("killed", Signal::KILL)).unwrap();

    assert_eq!(host.wait("killed").code, 137);
}

pub fn stop_asks_and_then_kills(host: &Host) {
    host.run(
        &host.script("polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"),
    );
    host.run(&host.script("deaf", "trap '' TERM; echo ready; while :; do sleep 1; done"));
    host.await_said("polite", "ready");
    host.await_said("deaf", "ready");
    let stop = |id, grace| {
        let begin = Instant::now();
        let exit = host.runtime.block_on(host.handle().stop(id, None, grace)).unwrap();
        (exit.code, begin.elapsed())
    };

    let (code, _) = stop("polite", Duration::from_secs(20));
    assert_eq!((code, host.said("polite").as_str()), (3, "ready\nbye\n"));

    let grace = Duration::from_millis(300);
    let (code, took) = stop("deaf", grace);
    assert_eq!(code, 137);
    assert!(took >= grace, "{took:?}");
}

pub fn container_outlives_its_handle(host: &Host) {
    let mut spec = host.script("lasting", "trap 'exit 5' TERM; echo begin; while :; do sleep 0.05; done");
    spec.labels.insert("who".into(), "me".into());
    host.run(&spec);
    let before = host.handle().status("lasting").unwrap();

    host.reopen();

    let after = host.handle().status("lasting").unwrap();
    assert_eq!(after, before);
    assert_eq!(after.labels["who"], "me");
    host.await_said("lasting", "begin");
    let exit = host.runtime.block_on(host.handle().stop("lasting", None, Duration::from_secs(20))).unwrap();
    assert_eq!(exit.code, 5);
}

pub fn killed_shim_takes_its_container_along(host: &Host) {
    host.run(&host.script("orphan", "sleep 1000"));
    let (pid, shim) = (host.pid("orphan"), host.shim_of("orphan"));

    kill(Pid::from_raw(shim), Kernel::SIGKILL).unwrap();

    let exit = host.wait("orphan");
    assert_eq!(exit.code, 137);
    assert!(exit.error.unwrap().contains("shim was killed"));
    eventually(|| kill(Pid::from_raw(pid), None).is_err());
}

pub fn shim_killed_while_nobody_watches_is_noticed(host: &Host) {
    host.run(&host.script("orphan", "sleep 1000"));
    let (pid, shim) = (host.pid("orphan"), host.shim_of("orphan"));
    // The table keeps its handle, which must not be the one to notice: it is asked nothing until it is replaced.
    kill(Pid::from_raw(shim), Kernel::SIGSTOP).unwrap();
    kill(Pid::from_raw(shim), Kernel::SIGKILL).unwrap();

    host.reopen();

    assert!(matches!(host.handle().status("orphan").unwrap().phase, Phase::Exited(exit) if exit.code == 137));
    eventually(|| kill(Pid::from_raw(pid), None).is_err());
}

pub fn exit_while_nobody_watches_is_kept(host: &Host) {
    host.run(&host.script("brief", "sleep 0.2; exit 9"));
    host.reopen();

    assert_eq!(host.wait("brief").code, 9);
    host.reopen();
    assert_eq!(host.wait("brief").code, 9);
}

pub fn unknown_command_is_refused_in_dockers_words(host: &Host) {
    let refused = |args: &[&str]| {
        let spec = Spec { args: args.iter().map(|a| a.to_string()).collect(), ..host.script("no", "") };
        let containers = host.handle();
        let error = host.runtime.block_on(async {
            containers.create(&spec).await?;
            containers.start("no").await
        });
        if containers.status("no").is_ok() {
            host.wait("no");
            host.remove("no");
        }
        match error.unwrap_err() {
            Error::Command { message, code } => (message, code),
            other => panic!("{other}"),
        }
    };

    assert_eq!(refused(&["foo"]), ("exec: \"foo\": executable file not found in $PATH".into(), 127));
    assert_eq!(refused(&["/foo"]), ("exec: \"/foo\": stat /foo: no such file or directory".into(), 127));
    assert_eq!(refused(&["/etc/passwd"]), ("exec: \"/etc/passwd\": permission denied".into(), 126));
    assert_eq!(refused(&["/bin/broken"]), ("exec /bin/broken: exec format error".into(), 126));
}

pub fn ended_container_starts_again_with_its_files(host: &Host) {
    let (_, first) = host.output(&host.script("again", "cat /kept; echo saved > /kept"));
    assert!(first.contains("No such file"), "{first}");

    host.runtime.block_on(host.handle().start("again")).unwrap();
    host.wait("again");

    assert!(host.said("again").ends_with("saved\n"));
}

pub fn created_container_can_be_removed(host: &Host) {
    let containers = host.handle();
    host.runtime.block_on(containers.create(&host.script("parked", "true"))).unwrap();
    assert_eq!(containers.status("parked").unwrap().phase, Phase::Created);
    let again = host.runtime.block_on(containers.create(&host.script("parked", "true")));
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");

    host.reopen();
    assert_eq!(host.handle().status("parked").unwrap().phase, Phase::Created);

    host.runtime.block_on(host.handle().remove("parked", Removal::OnlyStopped)).unwrap();
    host.assert_clean();
}

pub fn bad_specs_leave_nothing_behind(host: &Host) {
    let good = host.script("bad", "true");
    let cases = [
        (Spec { id: "../x".into(), ..good.clone() }, "id"),
        (Spec { args: vec![], ..good.clone() }, "no command"),
        (Spec { layers: vec!["/nowhere/at/all".into()], ..good.clone() }, "/nowhere/at/all"),
        (
            Spec { user: "nobody-here".into(), ..good.clone() },
            "unable to find user nobody-here: no matching entries in passwd file",
        ),
        (Spec { capabilities_add: vec!["FLY".into()], ..good.clone() }, "FLY"),
        (Spec { network_namespace: Some("/nowhere/net".into()), ..good.clone() }, "prepared"),
    ];
    for (spec, words) in cases {
        let error = host.runtime.block_on(host.handle().create(&spec)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        host.assert_clean();
    }
    let missing = host.runtime.block_on(host.handle().start("nothing"));
    assert!(matches!(missing, Err(Error::NotFound { .. })));
}

pub fn many_start_at_once(host: &Host) {
    let containers = host.handle();
    host.runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (containers, spec) = (containers.clone(), host.script(&format!("c{number}"), "sleep 100"));
            tasks.spawn(async move {
                containers.create(&spec).await.unwrap();
                containers.start(&spec.id).await.unwrap();
            });
        }
        tasks.join_all().await;
    });

    let running = host.handle().list().into_iter().filter(|s| matches!(s.phase, Phase::Running(_))).count();
    assert_eq!(running, 20);
}
