//! The list of containers.

use container_json::{EndpointSettings, MountPoint, Port, Summary};
use docker_api::LocalState;
use serde_json::Value;

use crate::support::Host;

fn container(id: &str, name: &str, state: &str, created: i64) -> Summary {
    Summary {
        id: id.into(),
        names: vec![format!("/{name}")],
        image: "drover/whoami:latest".into(),
        state: state.into(),
        created,
        labels: [("com.docker.swarm.task.id".to_owned(), name.to_owned())].into(),
        ..Summary::default()
    }
}

fn host() -> Host {
    let host = Host::outside(LocalState::Active);
    host.engine.has_container(container("aaa", "web.1.x", "running", 1));
    host.engine.has_container(container("bbb", "web.2.y", "exited", 2));
    let mut api = container("ccc", "api.1.z", "running", 3);
    let port = Port { private_port: 80, public_port: 8080, kind: "tcp".into(), ..Port::default() };
    let mount = MountPoint { name: "data".into(), destination: "/v".into(), ..MountPoint::default() };
    (api.ports, api.mounts) = (vec![port], vec![mount]);
    api.network_settings.networks.insert("back".into(), EndpointSettings::default());
    host.engine.has_container(api);
    host
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|container| container["Id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn running_containers_are_listed_latest_first() {
    let host = host();

    assert_eq!(ids(&host.get("/containers/json").await.json()), ["ccc", "aaa"]);
    assert_eq!(ids(&host.get("/containers/json?all=1").await.json()), ["ccc", "bbb", "aaa"]);
    assert_eq!(ids(&host.get("/containers/json?limit=2").await.json()), ["ccc", "bbb"]);
    assert_eq!(ids(&host.get("/containers/json?limit=0").await.json()), ["ccc", "aaa"]);
    assert_eq!(host.get("/containers/json?limit=x").await.error().0, 400);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let host = host();
    let listed = async |key: &str, value: &str| {
        let path = format!("/containers/json?filters=%7B%22{key}%22:%5B%22{value}%22%5D%7D");
        ids(&host.get(&path).await.json()).join(" ")
    };

    assert_eq!(listed("name", "web").await, "aaa");
    assert_eq!(listed("status", "exited").await, "bbb");
    assert_eq!(listed("id", "cc").await, "ccc");
    assert_eq!(listed("label", "com.docker.swarm.task.id=api.1.z").await, "ccc");
    assert_eq!(listed("ancestor", "drover/whoami").await, "ccc aaa");
    assert_eq!(listed("is-task", "false").await, "");
    assert_eq!(listed("name", "%5E/?web.1").await, "aaa");
    assert_eq!(listed("name", "%5Eeb").await, "");
    assert_eq!(listed("before", "ccc").await, "aaa");
    assert_eq!(listed("since", "web.1.x").await, "ccc");
    assert_eq!(listed("publish", "8000-8080").await, "ccc");
    assert_eq!(listed("publish", "80").await, "");
    assert_eq!(listed("volume", "data").await, "ccc");
    assert_eq!(listed("volume", "/v").await, "ccc");
    assert_eq!(listed("network", "back").await, "ccc");
    assert_eq!(host.get("/containers/json?before=nope").await.error().0, 404);
    assert_eq!(host.get("/containers/json?size=1").await.json()[0]["SizeRw"], 1000);
}
