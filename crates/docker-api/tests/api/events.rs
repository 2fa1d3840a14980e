//! The stream of events.

use std::time::Duration;

use docker_api::LocalState;
use serde_json::{Value, json};

use crate::services::spec;
use crate::support::{Host, nanoseconds};

#[tokio::test]
async fn a_service_is_seen_from_its_making_to_its_end() {
    let host = Host::manager().await;
    let mut events = host.lines("/v1.50/events").await;

    let id = host.create(&spec("web")).await;
    let made = events.next().await.unwrap();
    let version = host.get("/services/web").await.json()["Version"]["Index"].to_string();
    let mut scaled = spec("web");
    scaled["Mode"]["Replicated"]["Replicas"] = json!(3);
    host.post(&format!("/services/web/update?version={version}"), &scaled).await;
    let changed = events.next().await.unwrap();
    host.delete("/services/web").await;
    let removed = events.next().await.unwrap();

    let gist = |event: &Value| (event["Type"].clone(), event["Action"].clone(), event["scope"].clone());
    assert_eq!(gist(&made), (json!("service"), json!("create"), json!("swarm")));
    assert_eq!(made["Actor"], json!({"ID": id, "Attributes": {"name": "web"}}));
    assert_eq!(gist(&changed).1, "update");
    let attributes = &changed["Actor"]["Attributes"];
    assert_eq!((&attributes["replicas.old"], &attributes["replicas.new"]), (&json!("2"), &json!("3")));
    assert_eq!(gist(&removed).1, "remove");
    let now = nanoseconds().0;
    for event in [made, changed, removed] {
        let at = event["timeNano"].as_i64().unwrap();
        assert!((now - at).abs() < 60_000_000_000, "{event}");
        assert_eq!(event["time"].as_i64().unwrap(), at / 1_000_000_000);
    }
}

#[tokio::test]
async fn only_what_is_wanted_is_told() {
    let host = Host::manager().await;
    let mut by_name = host.lines("/events?filters=%7B%22service%22:%5B%22we%22%5D%7D").await;
    let mut by_action = host.lines("/events?filters=%7B%22event%22:%7B%22remove%22:true%7D%7D").await;
    let mut by_type = host.lines("/events?filters=%7B%22type%22:%5B%22node%22%5D%7D").await;

    host.create(&spec("api")).await;
    host.create(&spec("web")).await;
    host.delete("/services/api").await;
    let version = host.get("/nodes/m1").await.json()["Version"]["Index"].to_string();
    let drained = json!({"Role": "manager", "Availability": "drain"});
    host.post(&format!("/nodes/m1/update?version={version}"), &drained).await;

    assert_eq!(by_name.next().await.unwrap()["Actor"]["Attributes"]["name"], "web");
    assert_eq!(by_action.next().await.unwrap()["Actor"]["Attributes"]["name"], "api");
    let node = by_type.next().await.unwrap();
    assert_eq!(node["Actor"]["Attributes"]["name"], "m1");
    assert_eq!(node["Actor"]["Attributes"]["availability.new"], "drain");
}

#[tokio::test]
async fn the_stream_ends_when_its_time_is_over() {
    let host = Host::manager().await;
    let outside = Host::outside(LocalState::Inactive);
    let soon = nanoseconds().plus(Duration::from_millis(300)).0;
    let until = format!("{}.{:09}", soon / 1_000_000_000, soon % 1_000_000_000);

    assert_eq!(host.lines("/events?until=1").await.next().await, None);
    assert_eq!(host.lines(&format!("/events?until={until}")).await.next().await, None);
    assert_eq!(outside.lines(&format!("/events?until={until}")).await.next().await, None);
    assert_eq!(host.get("/events?until=tomorrow").await.error().0, 400);
}

#[tokio::test]
async fn a_host_that_becomes_a_manager_begins_to_tell() {
    let host = Host::founder().await;
    let mut events = host.lines("/events").await;
    assert_eq!(host.post("/swarm/init", &json!({"ListenAddr": "0.0.0.0:2377"})).await.status, 200);

    // It is looked at from time to time, so that the first services may be missed.
    let telling = async {
        loop {
            let id = host.create(&spec("")).await;
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), events.next()).await {
                return (id, event.unwrap());
            }
        }
    };
    let (_, event) = tokio::time::timeout(Duration::from_secs(20), telling).await.expect("events come");

    assert_eq!((&event["Type"], &event["Action"]), (&json!("service"), &json!("create")));
}

#[tokio::test]
async fn events_of_the_host_and_of_the_cluster_are_one_stream() {
    let host = Host::manager().await;
    let mut events = host.lines("/events").await;
    let mut swarm = host.lines("/events?filters=%7B%22scope%22:%5B%22swarm%22%5D%7D").await;
    assert_eq!(host.engine.listeners(), 2);

    let local = engine_json::Event { kind: "container".into(), scope: "local".into(), ..Default::default() };
    host.engine.happens(local);
    let first = events.next().await.unwrap();
    host.create(&spec("web")).await;
    let second = events.next().await.unwrap();

    assert_eq!((&first["Type"], &second["Type"]), (&json!("container"), &json!("service")));
    assert_eq!(swarm.next().await.unwrap()["Type"], "service");
}
