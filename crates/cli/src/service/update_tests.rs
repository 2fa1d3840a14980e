//! What `service update` asks the daemon.

use serde_json::{Value, json};

use crate::fake;

#[tokio::test]
async fn an_update_names_the_version_it_read() {
    let service = json!({"ID": "abc", "Version": {"Index": 7},
        "Spec": {"Name": "web", "Labels": {}, "Mode": {"Replicated": {"Replicas": 1}},
            "TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}});
    let answers = fake::answers([
        ("GET /services/web", service),
        ("POST /services/abc/update", json!({"Warnings": ["careful"]})),
    ]);

    let outcome = fake::run("service update -d --label-add a=b web", answers).await;

    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("web\n", "careful\n"));
    assert_eq!(outcome.requests[1].0, "POST /services/abc/update?version=7&registryAuthFrom=spec");
    assert_eq!(outcome.requests[1].1["Labels"], json!({"a": "b"}));
}

#[tokio::test]
async fn an_image_is_pinned_where_its_registry_answers() {
    let service = json!({"ID": "abc", "Version": {"Index": 7},
        "Spec": {"Name": "web", "Mode": {"Global": {}}, "TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}});
    let known = json!({"Descriptor": {"digest": "sha256:ab"}, "Platforms": [{"architecture": "amd64", "os": "linux"}]});
    let with = |registry: Option<Value>| {
        let mut answers = fake::answers([
            ("GET /services/web", service.clone()),
            ("POST /services/abc/update", json!({"Warnings": null})),
        ]);
        answers.extend(registry.map(|known| ("GET /distribution/nginx:2/json".to_owned(), (200, known))));
        answers
    };

    let pinned = fake::run("service update -d --image nginx:2 web", with(Some(known))).await;
    let plain = fake::run("service update -d --image nginx:2 web", with(None)).await;

    let template = &pinned.requests[2].1["TaskTemplate"];
    assert_eq!(template["ContainerSpec"]["Image"], json!("nginx:2@sha256:ab"));
    assert_eq!(template["Placement"]["Platforms"], json!([{"Architecture": "amd64", "OS": "linux"}]));
    assert_eq!(plain.requests[2].1["TaskTemplate"]["ContainerSpec"]["Image"], json!("nginx:2"));
    assert!(plain.err.starts_with("image nginx:2 could not be accessed on a registry to record\n"));
}
