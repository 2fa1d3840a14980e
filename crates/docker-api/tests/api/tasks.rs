//! Tasks.

use model::TaskState;
use serde_json::json;

use crate::services::spec;
use crate::support::Host;

/// A service whose second version runs in slot 2 and whose first one still runs in slot 1.
async fn updated() -> (Host, String, String) {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    let old = host.cluster().put_task("web", 1, TaskState::Shutdown, TaskState::Running).await;
    let version = host.get("/services/web").await.json()["Version"]["Index"].to_string();
    let mut changed = spec("web");
    changed["TaskTemplate"]["ContainerSpec"]["Image"] = json!("drover/whoami:2");
    let done = host.post(&format!("/services/web/update?version={version}"), &changed).await;
    assert_eq!(done.status, 200);
    let fresh = host.cluster().put_task("web", 2, TaskState::Running, TaskState::Running).await;
    (host, old.to_string(), fresh.to_string())
}

#[tokio::test]
async fn tasks_are_narrowed_by_every_filter_in_both_encodings() {
    let (host, old, fresh) = updated().await;
    let (service, node) = (host.cluster().service("web").id.to_string(), host.cluster().node.to_string());
    let listed = async |filters: String| {
        let encoded = filters.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let list = host.get(&format!("/tasks?filters={encoded}")).await.json();
        let ids = list.as_array().unwrap().iter().map(|task| task["ID"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };

    for (key, value, expected) in [
        ("_up-to-date", "true", vec![&fresh]),
        ("_up-to-date", "false", vec![&old]),
        ("_up-to-date", "1", vec![&fresh]),
        ("service", "web", vec![&old, &fresh]),
        ("service", &service, vec![&old, &fresh]),
        ("service", "nope", vec![]),
        ("node", "m1", vec![&old, &fresh]),
        ("node", &node, vec![&old, &fresh]),
        ("node", "w1", vec![]),
        ("desired-state", "running", vec![&fresh]),
        ("desired-state", "shutdown", vec![&old]),
        ("desired-state", "accepted", vec![]),
        ("name", "web.2", vec![&fresh]),
        ("name", "web", vec![&old, &fresh]),
        ("id", &fresh, vec![&fresh]),
        ("label", "tier=front", vec![&old, &fresh]),
        ("label", "tier=back", vec![]),
        ("runtime", "container", vec![&old, &fresh]),
        ("runtime", "plugin", vec![]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        for filters in [format!(r#"{{"{key}":{{"{value}":true}}}}"#), format!(r#"{{"{key}":["{value}"]}}"#)] {
            let mut got = listed(filters.clone()).await;
            got.sort();
            assert_eq!(got, expected, "{filters}");
        }
    }
}

#[tokio::test]
async fn filter_values_that_mean_nothing_are_an_error() {
    let host = Host::manager().await;

    let state = host.get("/tasks?filters=%7B%22desired-state%22:%5B%22asleep%22%5D%7D").await.error();
    let flag = host.get("/tasks?filters=%7B%22_up-to-date%22:%5B%22maybe%22%5D%7D").await.error();

    assert_eq!(state, (500, "Invalid desired-state filter: 'asleep'".into()));
    assert_eq!(flag.0, 400);
    assert_eq!(host.get("/tasks").await.json(), json!([]));
}

#[tokio::test]
async fn a_task_is_shown_with_the_spec_it_was_made_from() {
    let (host, old, fresh) = updated().await;

    let old = host.get(&format!("/tasks/{old}")).await.json();
    let fresh = host.get(&format!("/tasks/{}", &fresh[..20])).await;

    assert_eq!(old["Spec"]["ContainerSpec"]["Image"], "drover/whoami");
    assert_eq!((&old["Slot"], &old["DesiredState"]), (&json!(1), &json!("shutdown")));
    assert_eq!(old["Status"]["State"], "running");
    assert_eq!(old["Status"]["ContainerStatus"]["PID"], 42);
    assert_eq!(old["NodeID"], host.cluster().node.to_string());
    // Both ids begin alike.
    assert!(fresh.status == 200 || fresh.error().1.contains("ambiguous"));
    assert_eq!(host.get("/tasks/nope").await.error(), (404, "task nope not found".into()));
}
