//! Compares bodies with those the docker CLI 28.2.2 sends for the same edits.

use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    change: Change,
}

fn edited(line: &str, before: &str) -> Value {
    let words = std::iter::once("update").chain(line.split_whitespace());
    let program = Program::try_parse_from(words).unwrap();
    let mut spec: ServiceSpec = engine_json::decode(before.as_bytes()).unwrap();
    program.change.apply(&mut spec, &|_| None).unwrap();
    serde_json::to_value(spec).unwrap()
}

#[test]
fn nothing_else_changes() {
    for before in [
        include_str!("../../engine-json/src/payloads/full.json"),
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
        include_str!("../../engine-json/src/payloads/full.json"),
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

#[test]
fn how_a_port_is_carried_comes_and_goes_with_it() {
    let before = r#"{"Name":"x","Labels":{"a":"b","drover.port.80.app_protocol":"http","drover.port.81.app_protocol":"http"},
        "TaskTemplate":{"ContainerSpec":{"Image":"i"}},"Mode":{"Replicated":{"Replicas":1}},
        "EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":80,"PublishMode":"ingress"}]}}"#;

    let removed = edited("--publish-rm 80", before);
    let added = edited("--publish-add published=90,target=90,proxy_protocol=v1", before);
    let moved = edited("--publish-rm 80 --publish-add published=8080,target=80,app_protocol=tcp", before);

    assert_eq!(removed["Labels"], json!({"a": "b", "drover.port.81.app_protocol": "http"}));
    assert_eq!(added["Labels"]["drover.port.90.proxy_protocol"], "v1");
    assert_eq!(added["Labels"]["drover.port.80.app_protocol"], "http");
    assert_eq!(moved["Labels"]["drover.port.80.app_protocol"], "tcp");
    assert_eq!(moved["EndpointSpec"]["Ports"][0]["PublishedPort"], 8080);
}
