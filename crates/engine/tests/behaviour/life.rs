//! The verbs, and what they refuse.

use engine::{Error, Kind, LogsWanted, Removing, Sizes, Stopping};
use serde_json::json;

use crate::host::Host;

fn told(result: Result<(), Error>) -> (Kind, String) {
    let error = result.unwrap_err();
    (error.kind(), error.text().to_owned())
}

fn conflict(text: String) -> (Kind, String) {
    (Kind::Conflict, text)
}

pub fn verbs_refuse_what_makes_no_sense(host: &Host) {
    let engine = host.engine();
    let id = host.create("box", "exec sleep 1000", json!({}));
    let on = |verb: &str| match verb {
        "start" => host.block_on(engine.start("box")),
        "stop" => host.block_on(engine.stop("box", Stopping { timeout: Some(0), signal: None })),
        "kill" => host.block_on(engine.kill("box", Some("TERM"))),
        "pause" => host.block_on(engine.pause("box")),
        "unpause" => host.block_on(engine.unpause("box")),
        _ => host.block_on(engine.remove("box", Removing::default())),
    };

    assert_eq!(told(on("stop")).0, Kind::NotModified);
    let not_running = format!("container {id} is not running");
    assert_eq!(told(on("kill")), conflict(format!("cannot kill container: box: {not_running}")));
    assert_eq!(told(on("pause")), conflict(not_running));
    assert_eq!(told(on("unpause")), conflict(format!("Container {id} is not paused")));
    on("start").unwrap();
    assert_eq!(told(on("start")).0, Kind::NotModified);
    let why = "container is running: stop the container before removing or force remove";
    assert_eq!(told(on("rm")), conflict(format!("cannot remove container \"/box\": {why}")));
    on("pause").unwrap();
    assert_eq!(host.inspect("box").state.status, "paused");
    assert_eq!(told(on("pause")), conflict(format!("container {id} is already paused")));
    let why = "container is paused and must be unpaused first";
    assert_eq!(told(on("rm")), conflict(format!("cannot remove container \"/box\": {why}")));
    on("unpause").unwrap();
    on("stop").unwrap();
    let state = host.inspect("box").state;
    assert_eq!((state.status.as_str(), state.exit_code, state.pid), ("exited", 137, 0));
    on("rm").unwrap();
    assert_eq!(told(on("start")), (Kind::NotFound, "No such container: box".to_owned()));
}

pub fn containers_end_by_signals_and_begin_again(host: &Host) {
    let engine = host.engine();
    let script = "trap 'echo asked; exit 7' USR1; echo ready; while :; do sleep 0.05; done";
    host.run("box", script, json!({ "StopSignal": "SIGUSR1" }));
    host.eventually("it is ready", || host.said("box").contains("ready"));

    host.block_on(engine.stop("box", Stopping::default())).unwrap();
    assert_eq!(host.inspect("box").state.exit_code, 7);
    host.start("box");
    host.eventually("it is ready again", || host.said("box").matches("ready").count() == 2);
    host.block_on(engine.restart("box", Stopping::default())).unwrap();
    host.eventually("it is ready once more", || host.said("box").matches("ready").count() == 3);
    host.block_on(engine.kill("box", None)).unwrap();

    assert_eq!(host.inspect("box").state.exit_code, 137);
    assert_eq!(host.said("box").matches("asked").count(), 2);
    // Its files are there still.
    host.run("keeps", "test -e /tmp/x && echo again; touch /tmp/x", json!({}));
    host.eventually("it ends", || host.inspect("keeps").state.status == "exited");
    host.start("keeps");
    host.eventually("it ends again", || host.said("keeps").contains("again"));
}

pub fn names_and_limits_change(host: &Host) {
    let engine = host.engine();
    host.run("box", "exec sleep 1000", json!({ "HostConfig": { "Memory": 64 << 20 } }));
    host.create("other", "true", json!({}));

    let taken = told(host.block_on(engine.rename("box", "other")));
    host.block_on(engine.rename("box", "renamed")).unwrap();
    let limits = br#"{"Memory": 134217728, "MemorySwap": -1, "RestartPolicy": {"Name": "on-failure"}}"#;
    host.block_on(engine.update("renamed", engine_json::decode(limits).unwrap())).unwrap();
    let too_little = engine_json::decode(br#"{"Memory": 1}"#).unwrap();
    let refused = host.block_on(engine.update("renamed", too_little)).unwrap_err();

    assert_eq!(taken.0, Kind::Conflict);
    let inspect = host.inspect("renamed");
    assert_eq!((inspect.name.as_str(), inspect.host_config.resources.memory), ("/renamed", 128 << 20));
    assert_eq!(inspect.host_config.restart_policy.name, "on-failure");
    assert!(refused.text().ends_with("Minimum memory limit allowed is 6MB"), "{refused}");
    host.create("box", "true", json!({}));
}

pub fn processes_are_listed_as_ps_does(host: &Host) {
    host.run("box", "sleep 1001 & exec sleep 1002", json!({}));
    let listed = |arguments: &str| host.block_on(host.engine().top("box", arguments)).unwrap();

    let commands = || {
        let top = listed("-eo pid,cmd");
        assert_eq!(top.titles, ["PID", "CMD"]);
        let mut commands: Vec<_> = top.processes.into_iter().map(|mut fields| fields.remove(1)).collect();
        commands.sort_unstable();
        commands
    };

    host.eventually("both run", || commands() == ["sleep 1001", "sleep 1002"]);
    assert!(host.block_on(host.engine().top("box", "-eo cmd")).is_err());
}

pub fn unused_containers_are_pruned(host: &Host) {
    host.run("runs", "exec sleep 1000", json!({}));
    host.create("kept", "true", json!({ "Labels": { "keep": "" } }));
    host.create("goes", "true", json!({}));
    let filters = engine_json::Filters::parse(r#"{"label!":["keep"]}"#).unwrap();

    let pruned = host.block_on(host.engine().prune(filters)).unwrap();

    assert_eq!(pruned.containers_deleted.len(), 1);
    assert_eq!(
        (host.inspect("runs").state.status, host.inspect("kept").state.status),
        ("running".into(), "created".into())
    );
}

pub fn many_come_and_go_at_once(host: &Host) {
    let work = (0..20).map(|number| {
        let engine = host.engine();
        async move {
            let body = json!({ "Image": "busybox", "Cmd": ["true"], "Volumes": { "/store": {} },
                "HostConfig": { "NetworkMode": "bridge", "AutoRemove": number % 2 == 0 } });
            let body = engine_json::decode(body.to_string().as_bytes()).unwrap();
            let id = engine.create(None, body).await.unwrap().id;
            let gone = engine.wait(&id, engine::Condition::NextExit).unwrap();
            engine.start(&id).await.unwrap();
            assert_eq!(gone.await, 0);
            match engine.remove(&id, Removing { force: true, volumes: true, link: false }).await {
                Err(error) if !matches!(error.kind(), Kind::NotFound | Kind::Conflict) => panic!("{error}"),
                Ok(()) | Err(_) => {}
            }
        }
    });
    host.block_on(async {
        let tasks: Vec<_> = work.map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });

    host.eventually("all are gone", || {
        host.block_on(host.engine().list(engine::Sizes::Unknown)).is_empty()
            && host.block_on(host.engine().volumes_list(engine::Sizes::Unknown)).unwrap().is_empty()
    });
}

pub fn lists_begin_with_what_was_made_last(host: &Host) {
    let made: Vec<String> =
        (0..5).map(|number| host.create(&format!("c{number}"), "true", json!({}))).collect();

    let listed = host.block_on(host.engine().list(Sizes::Unknown));

    let listed: Vec<String> = listed.into_iter().rev().map(|summary| summary.id).collect();
    assert_eq!(listed, made);
}

pub fn files_of_a_container_are_found_on_the_host(host: &Host) {
    host.create("box", "echo said; exec sleep 1000", json!({ "Hostname": "inner" }));
    let before = host.inspect("box");
    host.start("box");
    host.eventually("it has spoken", || host.said("box").contains("said"));
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));

    let shown = host.inspect("box");

    assert_eq!(before.hosts_path, "");
    assert_eq!(read(&shown.hostname_path), "inner\n");
    assert!(read(&shown.hosts_path).contains("localhost"));
    assert!(!shown.resolv_conf_path.is_empty());
    read(&shown.resolv_conf_path);
    assert!(read(&shown.log_path).contains("said"));

    let nowhere = json!({ "HostConfig": { "LogConfig": { "Type": "none" } } });
    host.run("silent", "exec sleep 1000", nowhere);
    assert_eq!(host.inspect("silent").log_path, "");
    let wanted = LogsWanted { stdout: true, ..LogsWanted::default() };
    let refused = host.engine().logs("silent", &wanted).err().unwrap();
    assert_eq!(refused.kind(), Kind::NotImplemented);
    assert_eq!(refused.text(), "configured logging driver does not support reading");
}

pub fn unknown_users_are_refused_as_docker_does(host: &Host) {
    for (user, why) in [
        ("nobody-here", "unable to find user nobody-here: no matching entries in passwd file"),
        ("0:no-group", "unable to find group no-group: no matching entries in group file"),
    ] {
        host.create("box", "true", json!({ "User": user }));
        let refused = host.block_on(host.engine().start("box"));
        assert_eq!(told(refused), (Kind::Internal, why.to_owned()));
        host.remove("box");
    }
}
