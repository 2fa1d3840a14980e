//! Containers of tasks on this host.

use container_json::Summary;
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
    host.engine.has_container(container("ccc", "api.1.z", "running", 3));
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
}
