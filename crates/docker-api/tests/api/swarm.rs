//! Founding, joining, leaving and changing the cluster.

use docker_api::LocalState;
use docker_api::engine::Swarm;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Host, PATIENCE};

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
async fn joining_goes_on_when_the_client_hangs_up() {
    let host = Host::outside(LocalState::Inactive);
    let waiting = host.engine.hold();
    let body = json!({"RemoteAddrs": ["10.1.1.1:2377"], "JoinToken": "t"});

    let is_asked = async {
        while host.engine.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // Whoever is not selected is dropped, which closes the client's connection.
    tokio::select! {
        answer = host.post("/swarm/join", &body) => panic!("answered with {} too early", answer.status),
        asked = timeout(PATIENCE, is_asked) => asked.expect("the host is asked"),
    }
    assert_eq!(host.engine.membership().state, LocalState::Inactive);
    drop(waiting);

    let joined = async {
        while host.engine.membership().state != LocalState::Active {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, joined).await.expect("it joins all the same");
}

#[tokio::test]
async fn whether_a_host_may_leave_is_its_engines_word() {
    let manager = Host::manager().await;

    let refused = manager.post("/swarm/leave", &json!(null)).await.error();
    let forced = manager.post("/swarm/leave?force=1", &json!(null)).await;

    assert_eq!(refused, (503, "You are attempting to leave the swarm as a manager.".into()));
    assert_eq!((forced.status, forced.body.len()), (200, 0));
    assert_eq!(manager.engine.calls(), ["leave false", "leave true"]);
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
