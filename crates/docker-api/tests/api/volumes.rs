//! Volumes, and what takes room on the disk.

use container_json::{MountPoint, Summary, Volume};
use docker_api::LocalState;
use http::Request;
use serde_json::json;

use crate::support::Host;

fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    for (name, tier) in [("data", "a"), ("used", "b")] {
        host.engine.has_volume(Volume {
            name: name.into(),
            driver: "local".into(),
            labels: [("tier".to_owned(), tier.to_owned())].into(),
            ..Volume::default()
        });
    }
    let mounts = vec![MountPoint { kind: "volume".into(), name: "used".into(), ..MountPoint::default() }];
    host.engine.has_container(Summary { id: "c0ffee".into(), mounts, ..Summary::default() });
    host
}

#[tokio::test]
async fn volumes_are_made_shown_and_removed() {
    let host = host();

    let created =
        host.post("/volumes/create", &json!({"Name": "v", "Driver": "local", "Labels": {"a": "b"}})).await;
    let shown = host.get("/v1.50/volumes/v").await;
    let missing = host.get("/volumes/nope").await.error();
    let removed = host.delete("/volumes/v").await;
    let gone = host.delete("/volumes/v").await.error();
    let forced = host.delete("/volumes/v?force=1").await;
    let in_use = host.delete("/volumes/used").await.error();

    assert_eq!(created.status, 201);
    assert_eq!(created.json(), shown.json(), "docker-py compares the two");
    assert_eq!(shown.json()["Mountpoint"], "/var/lib/drover/volumes/v/_data");
    assert_eq!(missing, (404, "get nope: no such volume".into()));
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    assert_eq!((gone.0, forced.status), (404, 204));
    assert_eq!(in_use, (409, "remove used: volume is in use - [c0ffee]".into()));
}

#[tokio::test]
async fn lists_are_narrowed() {
    let host = host();
    let listed = async |key: &str, value: &str| {
        let path = format!("/volumes?filters=%7B%22{key}%22:%5B%22{value}%22%5D%7D");
        let list = host.get(&path).await.json();
        assert_eq!(list["Warnings"], json!(null));
        let names = list["Volumes"].as_array().unwrap().iter();
        names.map(|volume| volume["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };

    assert_eq!(listed("driver", "local").await, "data used");
    assert_eq!(listed("driver", "nfs").await, "");
    assert_eq!(listed("dangling", "true").await, "data");
    assert_eq!(listed("dangling", "0").await, "used");
    assert_eq!(listed("label", "tier=a").await, "data");
    assert_eq!(listed("name", "at").await, "data");
    assert_eq!(host.get("/volumes?filters=%7B%22x%22:%5B%5D%7D").await.error().0, 400);
}

#[tokio::test]
async fn pruning_takes_volumes_without_names_alone_unless_told_or_old() {
    let host = host();
    let prune = async |path: &str| host.send(Request::post(path), "").await.json();

    let report = prune("/v1.50/volumes/prune").await;
    prune("/v1.50/volumes/prune?filters=%7B%22all%22:%5B%22true%22%5D%7D").await;
    prune("/v1.41/volumes/prune").await;

    assert_eq!(report, json!({"VolumesDeleted": ["old"], "SpaceReclaimed": 1000}));
    assert_eq!(
        host.engine.calls(),
        [
            "prune volumes {}",
            r#"prune volumes {"all":{"true":true}}"#,
            r#"prune volumes {"all":{"true":true}}"#
        ]
    );
}

#[tokio::test]
async fn volumes_go_out_and_in_as_archives() {
    let host = host();

    let out = host.get("/drover/volumes/data/export").await;
    let into = Request::post("/drover/volumes/copy/import").header("content-type", "application/x-tar");
    let imported = host.send(into, out.body.clone()).await;
    let missing = host.get("/drover/volumes/nope/export").await.error();

    assert_eq!((out.header("content-type"), &out.body[..]), ("application/x-tar", &b"a tree"[..]));
    assert_eq!(imported.status, 200);
    assert_eq!(missing.0, 404);
    assert_eq!(host.engine.calls(), ["import into copy here 6 onto Nothing"]);
}

#[tokio::test]
async fn volumes_of_other_nodes_are_found_by_the_nodes_names() {
    let host = Host::manager().await;
    let other = host.cluster().has_node("w1").await;
    host.engine.has_volume(Volume { name: "data".into(), ..Volume::default() });
    let own = host.cluster().node;

    for node in [own.to_string(), "m1".to_owned()] {
        assert_eq!(host.get(&format!("/drover/volumes/data/export?node={node}")).await.status, 200);
    }
    assert_eq!(host.get("/drover/volumes/data/export?node=w1").await.status, 200);
    let into = Request::post(format!("/drover/volumes/data/import?node={other}&merge=1"));
    assert_eq!(host.send(into, "tar").await.status, 200);
    let unknown = host.get("/drover/volumes/data/export?node=w2").await.error();

    assert_eq!(unknown.0, 404);
    assert_eq!(
        host.engine.calls(),
        [format!("export data of {other}, called w1"), format!("import into data {other} 3 onto Anything")]
    );
    let outside = Host::outside(LocalState::Active);
    outside.engine.has_volume(Volume { name: "data".into(), ..Volume::default() });
    let own = outside.get("/info").await.json()["Name"].as_str().unwrap().to_owned();
    assert_eq!(outside.get(&format!("/drover/volumes/data/export?node={own}")).await.status, 200);
    let refused = outside.get("/drover/volumes/data/export?node=w1").await.error();
    assert_eq!(refused.0, 503);
    assert!(refused.1.contains("not a swarm manager"), "{}", refused.1);
}

#[tokio::test]
async fn disk_usage_has_what_was_asked_for() {
    let host = host();

    let all = host.get("/system/df").await.json();
    let some = host.get("/v1.50/system/df?type=volume&type=image").await.json();
    let unknown = host.get("/system/df?type=x").await.error();

    assert_eq!((&all["LayersSize"], &all["BuildCache"]), (&json!(5_000_000), &json!([])));
    assert_eq!(all["Volumes"][0]["UsageData"], json!({"RefCount": 1, "Size": 3_000_000}));
    assert!(some["Images"].is_array() && some["Volumes"].is_array());
    assert_eq!((&some["Containers"], &some["BuildCache"]), (&json!(null), &json!(null)));
    assert_eq!(unknown, (400, "unknown object type: x".into()));
}

#[tokio::test]
async fn credentials_are_accepted_or_not() {
    let host = host();
    let login = |password: &str| json!({"username": "ann", "password": password, "serveraddress": "reg"});

    let accepted = host.post("/auth", &login("right")).await;
    let refused = host.post("/auth", &login("wrong")).await.error();

    assert_eq!(accepted.json(), json!({"IdentityToken": "", "Status": "Login Succeeded"}));
    assert_eq!(refused, (401, "Get \"https://reg/v2/\": unauthorized".into()));
    assert_eq!(host.engine.calls()[0], "login ann at reg");
}
