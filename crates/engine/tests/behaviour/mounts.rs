//! Volumes and other mounts.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use engine::{Kind, Removing, Sizes};
use serde_json::json;

use crate::host::Host;

fn binds(binds: &[&str]) -> serde_json::Value {
    json!({ "HostConfig": { "Binds": binds } })
}

fn ended(host: &Host, name: &str) -> String {
    host.eventually("it ends", || host.inspect(name).state.status == "exited");
    host.said(name)
}

pub fn new_volumes_are_filled_from_the_image(host: &Host) {
    host.run("first", "cat /store/seed; echo more > /store/own", binds(&["data:/store"]));
    assert_eq!(ended(host, "first"), "seed\n");
    host.remove("first");

    let mounted = binds(&["data:/store:ro", "empty:/nowhere"]);
    host.run("second", "cat /store/own; touch /store/x || echo read-only; ls /nowhere", mounted);

    let said = ended(host, "second");
    assert!(said.contains("more") && said.contains("read-only"), "{said}");
    let volume = host.block_on(host.engine().volume_inspect("data")).unwrap();
    let meta = fs::metadata(&volume.mountpoint).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o7777), (33, 34, 0o750));
    let inspect = host.inspect("second");
    let mount = inspect.mounts.iter().find(|mount| mount.destination == "/store").unwrap();
    assert_eq!((mount.kind.as_str(), mount.name.as_str(), mount.rw), ("volume", "data", false));
    assert_eq!(mount.source, volume.mountpoint);
}

pub fn nocopy_and_subpath_are_kept_to(host: &Host) {
    host.run("bare", "ls /store", binds(&["data:/store:nocopy"]));
    assert_eq!(ended(host, "bare"), "");
    host.run("maker", "mkdir /store/sub; echo deep > /store/sub/file", binds(&["data:/store"]));
    ended(host, "maker");
    let mount =
        json!({ "Type": "volume", "Source": "data", "Target": "/x", "VolumeOptions": { "Subpath": "sub" } });

    host.run("deep", "ls /x; cat /x/file", json!({ "HostConfig": { "Mounts": [mount] } }));

    assert_eq!(ended(host, "deep"), "file\ndeep\n");
}

pub fn volumes_without_names_go_with_their_container(host: &Host) {
    let count = || host.block_on(host.engine().volumes_list(Sizes::Unknown)).unwrap().len();
    let more = json!({ "Volumes": { "/store": {} }, "HostConfig": { "Binds": ["named:/named"] } });
    host.create("one", "true", more.clone());
    host.create("two", "true", more.clone());
    assert_eq!(count(), 3);

    host.block_on(host.engine().remove("one", Removing::default())).unwrap();
    assert_eq!(count(), 3);
    host.remove("two");
    assert_eq!(count(), 2);

    let mut more = more;
    more["HostConfig"]["AutoRemove"] = true.into();
    host.run("three", "cat /store/seed", more);
    host.eventually("it is removed", || host.engine().logs("three", &Default::default()).is_err());
    host.eventually("its volume is removed", || count() == 2);
    let pruned = host.block_on(host.engine().volumes_prune(Default::default())).unwrap();
    assert_eq!((pruned.volumes_deleted.len(), pruned.space_reclaimed), (1, 5));
    assert_eq!(count(), 1);
}

pub fn volumes_in_use_are_not_removed(host: &Host) {
    let id = host.create("box", "true", binds(&["data:/x"]));

    let error = host.block_on(host.engine().volume_remove("data", false)).unwrap_err();

    assert_eq!(
        (error.kind(), error.text()),
        (Kind::Conflict, &*format!("remove data: volume is in use - [{id}]"))
    );
    host.remove("box");
    host.block_on(host.engine().volume_remove("data", false)).unwrap();
    let error = host.block_on(host.engine().volume_remove("data", false)).unwrap_err();
    assert_eq!((error.kind(), error.text()), (Kind::NotFound, "get data: no such volume"));
    host.block_on(host.engine().volume_remove("data", true)).unwrap();
}

pub fn containers_share_the_volumes_of_another(host: &Host) {
    host.create("data", "true", json!({ "Volumes": { "/store": {} } }));
    let from = |mode: &str| json!({ "HostConfig": { "VolumesFrom": [format!("data{mode}")] } });
    host.run("writer", "echo shared > /store/file", from(""));
    ended(host, "writer");

    host.run("reader", "cat /store/file /store/seed; touch /store/x || echo read-only", from(":ro"));

    let said = ended(host, "reader");
    assert!(said.contains("shared\nseed\n") && said.contains("read-only"), "{said}");
    // The volume goes with the last of them.
    host.remove("data");
    host.remove("writer");
    assert_eq!(host.inspect("reader").mounts.len(), 1);
    host.remove("reader");
    assert!(host.block_on(host.engine().volumes_list(Sizes::Unknown)).unwrap().is_empty());
}

pub fn directories_of_the_host_are_bound_and_made(host: &Host) {
    let dir = host.dir.path().join("bound/made");
    let source = dir.to_str().unwrap();

    host.run(
        "box",
        "echo in > /x/file; touch /y/file || echo read-only",
        json!({ "HostConfig": {
        "Binds": [format!("{source}:/x")],
        "Mounts": [{ "Type": "bind", "Source": host.dir.path(), "Target": "/y", "ReadOnly": true }],
    } }),
    );

    assert!(ended(host, "box").contains("read-only"));
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "in\n");
    assert!(host.block_on(host.engine().volumes_list(Sizes::Unknown)).unwrap().is_empty());
}

pub fn volumes_travel_as_archives(host: &Host) {
    let engine = host.engine();
    host.run("box", "echo kept > /x/file", binds(&["from:/x"]));
    ended(host, "box");

    let archive = host.block_on(async {
        let mut pieces = engine.volume_export("from").await.unwrap();
        let mut archive = Vec::new();
        while let Some(piece) = pieces.recv().await {
            archive.extend(piece.unwrap());
        }
        archive
    });
    let imported = host
        .block_on(engine.volume_import("to", volume::Onto::Nothing, std::io::Cursor::new(archive)))
        .unwrap();

    assert_eq!(fs::read_to_string(format!("{}/file", imported.mountpoint)).unwrap(), "kept\n");
    let list = host.block_on(engine.volumes_list(Sizes::Measured)).unwrap();
    let usage: Vec<_> = list.iter().map(|volume| volume.usage_data.clone().unwrap()).collect();
    assert_eq!(usage.iter().map(|usage| (usage.ref_count, usage.size)).collect::<Vec<_>>(), [(1, 5), (0, 5)]);
}
