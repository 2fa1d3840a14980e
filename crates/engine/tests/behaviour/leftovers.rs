//! What another daemon finds.

use std::fs;
use std::path::PathBuf;

use engine::{Kind, Sizes};
use serde_json::{Value, json};

use crate::host::Host;

fn record(host: &Host, id: &str) -> PathBuf {
    host.dir.path().join("records").join(id).with_extension("json")
}

/// Writes another stage into a record, as if the daemon had died in it.
fn set_stage(host: &Host, id: &str, stage: Value) {
    let path = record(host, id);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["stage"] = stage;
    fs::write(path, json.to_string()).unwrap();
}

pub fn half_made_and_half_removed_containers_go(host: &Host) {
    let with_volume = json!({ "Volumes": { "/store": {} } });
    let making = host.create("making", "true", with_volume.clone());
    let going = host.run("going", "exec sleep 1000", with_volume.clone());
    let keeping = host.create("keeping", "true", with_volume.clone());
    let lost = host.create("lost", "true", json!({}));
    let unknown = host.create("unknown", "true", json!({}));
    let whole = host.create("whole", "true", with_volume);
    host.kill_daemon();
    set_stage(host, &making, "Making".into());
    set_stage(host, &going, json!({ "Going": { "with_volumes": true } }));
    set_stage(host, &keeping, json!({ "Going": { "with_volumes": false } }));
    fs::remove_dir_all(host.dir.path().join("containers").join(lost)).unwrap();
    fs::remove_file(record(host, &unknown)).unwrap();
    fs::write(record(host, "half").with_extension("tmp"), "{").unwrap();

    host.start_daemon();

    let list = host.block_on(host.engine().list(Sizes::Unknown));
    assert_eq!(list.iter().map(|summary| summary.id.as_str()).collect::<Vec<_>>(), [whole.as_str()]);
    assert_eq!(host.parts().containers.list().len(), 1);
    let volumes = host.block_on(host.engine().volumes_list(Sizes::Unknown)).unwrap();
    assert_eq!(volumes.len(), 2, "those of `whole` and `keeping`: {volumes:?}");
    for name in ["making", "going", "lost"] {
        host.create(name, "true", json!({}));
    }
}

pub fn running_containers_are_kept_with_all_they_have(host: &Host) {
    let ports = json!({ "80/tcp": [{ "HostPort": "18090" }] });
    host.run(
        "box",
        "exec sleep 1000",
        json!({ "HostConfig": {
        "NetworkMode": "bridge", "PortBindings": ports, "Binds": ["data:/x"] } }),
    );
    host.run("short", "exit 9", json!({}));
    let before = host.inspect("box");

    host.restart_daemon();

    let after = host.inspect("box");
    assert_eq!(before.state.pid, after.state.pid);
    assert_eq!(before.network_settings, after.network_settings);
    assert_eq!((before.created, before.state.started_at), (after.created, after.state.started_at));
    assert_eq!(host.inspect("short").state.exit_code, 9);
    let error = host.block_on(host.engine().volume_remove("data", false)).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    host.stop("box");
    assert!(host.parts().network.attached().is_empty());
}
