//! Making containers, and what is refused.

use container_json::CreateBody;
use engine::{Kind, Sizes};
use serde_json::{Value, json};

use crate::host::Host;

/// Says what is said against a request.
fn refused(host: &Host, name: Option<&str>, body: Value) -> (Kind, String) {
    let body: CreateBody = engine_json::decode(body.to_string().as_bytes()).unwrap();
    let error = host.block_on(host.engine().create(name, body)).unwrap_err();
    (error.kind(), error.text().to_owned())
}

pub fn containers_are_named_found_and_described(host: &Host) {
    let id = host.create("box", "exit 3", json!({ "Env": ["A=1"], "Labels": { "l": "v" } }));
    let other = host.block_on(host.engine().create(
        None,
        engine_json::decode(br#"{"Image": "busybox", "HostConfig": {"NetworkMode": "none"}}"#).unwrap(),
    ));

    let taken = refused(host, Some("/box"), json!({ "Image": "busybox" }));

    assert_eq!(taken.0, Kind::Conflict);
    assert!(taken.1.starts_with("Conflict. The container name \"/box\" is already in use by container"));
    assert_eq!(host.inspect(&id[..12]).id, id);
    let inspect = host.inspect("/box");
    assert_eq!((inspect.name.as_str(), inspect.path.as_str()), ("/box", "sh"));
    assert_eq!(inspect.args, ["-c", "exit 3"]);
    assert_eq!((inspect.state.status.as_str(), inspect.config.hostname.as_str()), ("created", &id[..12]));
    assert_eq!((inspect.config.image.as_str(), inspect.config.env[0].as_str()), ("busybox", "A=1"));
    assert!(inspect.image.starts_with("sha256:"));
    assert_eq!(inspect.host_config.log_config.kind, "json-file");
    let list = host.block_on(host.engine().list(Sizes::Measured));
    assert_eq!(list.len(), 2);
    assert!(list.iter().any(|summary| summary.id == other.as_ref().unwrap().id && summary.command == "sh"));
    let own = list.iter().find(|summary| summary.id == id).unwrap();
    assert_eq!((own.status.as_str(), own.command.as_str()), ("Created", "sh -c 'exit 3'"));
    assert!(own.size_root_fs > 0 && own.labels["l"] == "v");
}

pub fn what_cannot_be_made_leaves_nothing(host: &Host) {
    for (body, kind, said) in [
        (json!({ "Image": "nothing" }), Kind::NotFound, "No such image: nothing:latest"),
        (
            json!({ "Image": "busybox", "HostConfig": { "Mounts": [
                { "Type": "bind", "Source": "/no/such/path", "Target": "/x" }] } }),
            Kind::Invalid,
            "invalid mount config for type \"bind\": bind source path does not exist: /no/such/path",
        ),
        (
            json!({ "Image": "busybox", "HostConfig": { "VolumesFrom": ["nobody"] } }),
            Kind::Invalid,
            "No such container: nobody",
        ),
        (
            json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "mine" } }),
            Kind::Invalid,
            "network mine not found",
        ),
        (
            json!({ "Image": "busybox", "HostConfig": { "CapAdd": ["NO_SUCH"], "NetworkMode": "none",
                "Binds": ["fresh:/x", "/y"] } }),
            Kind::Invalid,
            "",
        ),
    ] {
        let (refused, text) = refused(host, Some("box"), body.clone());
        assert_eq!(refused, kind, "{body}: {text}");
        assert!(text.starts_with(said), "{text}");
    }

    // The name is free again, and no volume without a name is left.
    host.create("box", "true", json!({}));
    let volumes = host.block_on(host.engine().volumes_list(Sizes::Unknown)).unwrap();
    assert!(volumes.iter().all(|volume| volume.name == "fresh"), "{volumes:?}");
}

pub fn what_cannot_be_started_stays_created_and_says_why(host: &Host) {
    for (program, code) in [("nosuch", 127), ("/etc/passwd", 126)] {
        host.create(program.trim_start_matches("/etc/"), "", json!({ "Cmd": [program] }));
        let name = program.trim_start_matches("/etc/");

        let error = host.block_on(host.engine().start(name)).unwrap_err();

        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        let state = host.inspect(name).state;
        assert_eq!((state.status.as_str(), state.exit_code), ("created", code), "{error}");
        assert_eq!(state.error, error.text());
        assert!(host.parts().network.attached().is_empty());
    }
    host.create("gone", "", json!({ "Cmd": ["nosuch"], "HostConfig": { "AutoRemove": true } }));
    assert!(host.block_on(host.engine().start("gone")).is_err());
    assert_eq!(host.block_on(host.engine().start("gone")).unwrap_err().kind(), Kind::NotFound);
}

pub fn programs_run_as_they_are_told(host: &Host) {
    let more = json!({
        "Env": ["GREETING=hello"], "WorkingDir": "/made/here", "User": "web", "Hostname": "known",
        "HostConfig": { "ReadonlyRootfs": true, "Tmpfs": { "/scratch": "size=64k" }, "ExtraHosts": ["db:192.0.2.7"],
            "NetworkMode": "bridge", "Dns": ["192.0.2.9"], "Ulimits": [{ "Name": "nofile", "Soft": 99, "Hard": 99 }] },
    });
    let script = "echo $GREETING; pwd; id -u; id -g; cat /etc/hostname; ulimit -n; touch /x || echo locked; \
                  touch /scratch/x && echo open; grep 192 /etc/hosts /etc/resolv.conf; exit 5";

    host.run("box", script, more);

    host.eventually("it ends", || host.inspect("box").state.status == "exited");
    let said = host.said("box");
    let words = ["hello", "/made/here", "33", "34", "known", "99", "locked", "open", "192.0.2.7\tdb"];
    for word in words.into_iter().chain(["nameserver 192.0.2.9"]) {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    assert_eq!(host.inspect("box").state.exit_code, 5);
}
