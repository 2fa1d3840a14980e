//! Founding, joining, leaving and changing the cluster.

use docker_api::LocalState;
use serde_json::{Value, json};

use crate::support::Host;

#[tokio::test]
async fn the_cluster_is_shown_with_its_tokens() {
    let host = Host::manager().await;

    let swarm = host.get("/swarm").await.json();

    assert_eq!(swarm["Spec"]["Name"], "default");
    assert_eq!(swarm["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"], 5);
    assert_eq!((&swarm["DataPathPort"], &swarm["SubnetSize"]), (&json!(4789), &json!(24)));
    assert_eq!(swarm["DefaultAddrPool"], json!(["10.0.0.0/8"]));
    for role in ["Worker", "Manager"] {
        assert!(swarm["JoinTokens"][role].as_str().unwrap().starts_with("SWMTKN-1-"), "{swarm}");
    }
    assert!(swarm["TLSInfo"]["TrustRoot"].as_str().unwrap().contains("CERTIFICATE"));
}

#[tokio::test]
async fn a_second_membership_is_refused() {
    let manager = Host::manager().await;
    let worker = Host::outside(LocalState::Active);

    for host in [&manager, &worker] {
        for (path, body) in [("/swarm/init", json!({})), ("/swarm/join", json!({"RemoteAddrs": ["a:2377"]}))]
        {
            let (status, message) = host.post(path, &body).await.error();
            assert_eq!(status, 503);
            assert!(message.starts_with("This node is already part of a swarm. Use \"docker swarm leave\""));
        }
        assert_eq!(host.engine.calls(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn founding_answers_the_nodes_id_as_a_string() {
    let host = Host::founder().await;

    let answer =
        host.post("/v1.50/swarm/init", &json!({"ListenAddr": "0.0.0.0:2377", "DataPathPort": 5000})).await;
    let old = Host::founder().await;
    old.post("/v1.38/swarm/init", &json!({"ListenAddr": "0.0.0.0:2377", "DataPathPort": 5000})).await;

    assert_eq!(answer.json(), Value::String(host.cluster().node.to_string()));
    assert_eq!(host.engine.calls(), ["init 0.0.0.0:2377 5000"]);
    assert_eq!(old.engine.calls(), ["init 0.0.0.0:2377 0"]);
}

#[tokio::test]
async fn leaving_is_refused_where_it_costs_the_cluster() {
    let manager = Host::manager().await;
    let alone = Host::outside(LocalState::Inactive);
    let worker = Host::outside(LocalState::Active);

    let (status, message) = manager.post("/swarm/leave", &json!(null)).await.error();
    let nowhere = alone.post("/swarm/leave", &json!(null)).await.error();
    let forced = manager.post("/swarm/leave?force=1", &json!(null)).await;
    let left = worker.post("/swarm/leave", &json!(null)).await;

    assert_eq!(status, 503);
    assert!(
        message.starts_with(
            "You are attempting to leave the swarm on a node that is participating as a manager. "
        )
    );
    assert!(
        message.contains("Removing the last manager erases all current state of the swarm."),
        "{message}"
    );
    assert_eq!(nowhere, (503, "This node is not part of a swarm".into()));
    assert_eq!((forced.status, left.status), (200, 200));
    assert_eq!(manager.engine.calls(), ["leave true"]);
    assert_eq!(worker.engine.calls(), ["leave false"]);
}

#[tokio::test]
async fn settings_change_and_tokens_rotate_one_by_one() {
    let host = Host::manager().await;
    let before = host.get("/swarm").await.json();
    let version = before["Version"]["Index"].to_string();
    let mut spec = before["Spec"].clone();
    spec["Orchestration"]["TaskHistoryRetentionLimit"] = json!(2);
    let path = format!("/swarm/update?version={version}&rotateWorkerToken=true&rotateManagerToken=false");

    let done = host.post(&path, &spec).await;
    let stale = host.post(&path, &spec).await.error();
    let vague = host.post("/swarm/update?version=1&rotateWorkerToken=yes", &spec).await.error();
    let missing = host.post("/swarm/update", &spec).await.error();

    assert_eq!(done.status, 200);
    assert!(stale.0 == 500 && stale.1.ends_with("update out of sequence"), "{}", stale.1);
    assert_eq!(vague.0, 400);
    assert_eq!(missing, (400, "invalid swarm version ''".into()));
    let after = host.get("/swarm").await.json();
    assert_eq!(after["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"], 2);
    assert_ne!(after["JoinTokens"]["Worker"], before["JoinTokens"]["Worker"]);
    assert_eq!(after["JoinTokens"]["Manager"], before["JoinTokens"]["Manager"]);
}

#[tokio::test]
async fn nothing_is_locked() {
    let host = Host::manager().await;

    assert_eq!(host.get("/swarm/unlockkey").await.json(), json!({"UnlockKey": ""}));
    assert_eq!(host.post("/swarm/unlock", &json!({"UnlockKey": "x"})).await.error().0, 409);
}

#[tokio::test]
async fn the_ingress_network_is_shown() {
    let host = Host::manager().await;

    let list = host.get("/networks").await.json();
    let one = host.get("/networks/ingress?scope=swarm").await.json();

    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&one["Name"], &one["Scope"], &one["Ingress"]),
        (&json!("ingress"), &json!("swarm"), &json!(true))
    );
    assert_eq!(host.get("/networks/ingress?scope=local").await.error().0, 404);
    assert_eq!(host.get("/networks/nope").await.error(), (404, "network nope not found".into()));
    assert_eq!(host.get("/networks?filters=%7B%22dangling%22:%5B%22true%22%5D%7D").await.json(), json!([]));
    assert_eq!(Host::outside(LocalState::Inactive).get("/networks").await.json(), json!([]));
}
