use serde_json::{Value, json};

use crate::fake;

fn service(status: Value) -> Value {
    json!({"ID": "abc", "Version": {"Index": 7}, "UpdateStatus": status,
        "Spec": {"Name": "web", "Mode": {"Replicated": {"Replicas": 2}}, "UpdateConfig": {"Monitor": 1_000_000},
            "TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}})
}

fn task(slot: u32) -> Value {
    json!({"ID": format!("t{slot}"), "ServiceID": "abc", "Slot": slot, "NodeID": "n1", "DesiredState": "running",
        "Status": {"State": "running"}})
}

fn cluster(status: Value) -> fake::Answers {
    fake::answers([
        ("GET /services/web", service(status.clone())),
        ("GET /services/abc", service(status)),
        ("POST /services/abc/update", json!({})),
        ("POST /services/create", json!({"ID": "abc"})),
        ("GET /tasks", json!([task(1), task(2)])),
        ("GET /nodes", json!([{"ID": "n1", "Status": {"State": "ready"}}])),
    ])
}

#[tokio::test]
async fn a_command_waits_until_all_tasks_run_and_are_stable() {
    let outcome = fake::run("service create --no-resolve-image --name web nginx", cluster(Value::Null)).await;

    assert_eq!(outcome.err, "");
    assert_eq!(
        outcome.out,
        "abc\noverall progress: 2 out of 2 tasks\n\
         verify: Waiting 1 seconds to verify that tasks are stable...\nverify: Service abc converged\n"
    );
    let tasks = outcome.requests.iter().find(|(route, _)| route.starts_with("GET /tasks")).unwrap();
    assert_eq!(
        tasks.0,
        "GET /tasks?filters=%7B%22_up-to-date%22%3A%7B%22true%22%3Atrue%7D%2C%22service%22%3A%7B%22abc%22%3Atrue%7D%7D"
    );
}

#[tokio::test]
async fn quiet_says_nothing_and_waits_all_the_same() {
    let outcome = fake::run("service scale -q web=2", cluster(Value::Null)).await;

    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("web scaled to 2\n", ""));
    assert!(outcome.requests.iter().any(|(route, _)| route.starts_with("GET /tasks")));
}

#[tokio::test]
async fn an_update_that_stops_is_an_error() {
    for (state, says) in [
        ("paused", "service update paused: too many failures\n"),
        ("rollback_paused", "service rollback paused: too many failures\n"),
        ("rollback_completed", "service rolled back: too many failures\n"),
    ] {
        let status = json!({"State": state, "Message": "too many failures"});

        let outcome = fake::run("service update --force web", cluster(status)).await;

        assert_eq!(outcome.err, says);
    }
}

#[tokio::test]
async fn a_service_that_vanishes_ends_the_waiting() {
    let mut answers = cluster(Value::Null);
    answers.remove("GET /services/abc");

    let outcome = fake::run("service create --no-resolve-image nginx", answers).await;

    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str()),
        ("abc\n", "Error response from daemon: page not found\n")
    );
}
