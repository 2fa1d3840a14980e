//! Compares bodies with those the docker CLI 28.2.2 sends for the same edits.

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::fake;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn edited(line: &str, before: &str) -> Value {
    let words = std::iter::once("update").chain(line.split_whitespace()).chain(["service"]);
    let program = Program::try_parse_from(words).unwrap();
    let mut spec: ServiceSpec = engine_json::decode(before.as_bytes()).unwrap();
    change(&mut spec, &program.arguments).unwrap();
    serde_json::to_value(spec).unwrap()
}

#[test]
fn nothing_else_changes() {
    for before in [
        include_str!("../../../engine-json/src/payloads/full.json"),
        r#"{"Name":"x","Labels":{},"TaskTemplate":{"ContainerSpec":{"Image":"i"},"ForceUpdate":0},"Mode":{"Replicated":{"Replicas":1}}}"#,
    ] {
        let mut expected: Value = serde_json::from_str(before).unwrap();
        expected["Labels"]["q"] = json!("r");

        assert_eq!(edited("--label-add q=r", before), expected);
    }
}

#[test]
fn edits_are_dockers() {
    let after = edited(
        "--env-add A=2 --env-rm B --publish-add 90:90 --publish-rm 80 --label-add q=r --label-rm a --image alpine:3 \
         --force --args x --constraint-add node.role==manager --constraint-rm node.role==worker --mount-rm /v \
         --mount-add type=volume,source=z,target=/z --host-add zz:9.9.9.9 --host-rm a --limit-cpu 1 --replicas 5 \
         --rollback-parallelism 3 --cap-add CHOWN --ulimit-rm nofile --dns-rm 8.8.8.8 --generic-resource-add gpu=2",
        include_str!("../../../engine-json/src/payloads/full.json"),
    );

    let container = &after["TaskTemplate"]["ContainerSpec"];
    assert_eq!(after["Labels"], json!({"q": "r"}));
    assert_eq!(container["Env"], json!(["A=2"]));
    assert_eq!(container["Image"], json!("alpine:3"));
    assert_eq!(container["Args"], json!(["x"]));
    assert_eq!(container["Hosts"], json!(["9.9.9.9 zz"]));
    assert_eq!(container["CapabilityAdd"], json!(["CAP_CHOWN", "CAP_NET_ADMIN"]));
    assert_eq!(container.get("CapabilityDrop"), None);
    assert_eq!(container.get("Ulimits"), None);
    assert_eq!(container["DNSConfig"], json!({"Search": ["x.y"], "Options": ["ndots:1"]}));
    let targets: Vec<&str> = container["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["Target"].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["/t", "/b", "/z"]);
    assert_eq!(after["TaskTemplate"]["ForceUpdate"], json!(1));
    assert_eq!(after["TaskTemplate"]["Placement"]["Constraints"], json!(["node.role==manager"]));
    assert_eq!(after["TaskTemplate"]["Resources"]["Limits"]["NanoCPUs"], json!(1_000_000_000));
    assert_eq!(after["Mode"], json!({"Replicated": {"Replicas": 5}}));
    assert_eq!(after["RollbackConfig"]["Parallelism"], json!(3));
    assert_eq!(after["RollbackConfig"]["Order"], json!("start-first"));
    let published: Vec<u64> = after["EndpointSpec"]["Ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["PublishedPort"].as_u64().unwrap())
        .collect();
    assert_eq!(published, [53, 7000, 7001, 7002, 90, 9]);
}

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
