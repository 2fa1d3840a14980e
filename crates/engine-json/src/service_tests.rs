//! Bodies as the docker CLI 28.2.2 sends them, taken through the model and back.

use serde_json::{Value, json};

use super::*;
use crate::{ApiVersion, decode, gate};

/// `docker service create` with every flag that a Linux service can have.
const FULL: &str = include_str!("payloads/full.json");
/// `docker service create --name web nginx`.
const WEB: &str = include_str!("payloads/web.json");
/// Both kinds of jobs, and a global service with a restart condition.
const OTHERS: [&str; 3] =
    [include_str!("payloads/j.json"), include_str!("payloads/gj.json"), include_str!("payloads/g.json")];

fn read(body: &str) -> ServiceSpec {
    decode(body.as_bytes()).unwrap()
}

fn there_and_back(body: &str) -> Value {
    let spec = model::ServiceSpec::try_from(read(body)).unwrap();
    spec.validate().unwrap();
    serde_json::to_value(ServiceSpec::from(&spec)).unwrap()
}

#[test]
fn what_the_cli_sends_is_read_without_loss() {
    for body in [FULL, WEB].into_iter().chain(OTHERS) {
        assert_eq!(serde_json::to_value(read(body)).unwrap(), serde_json::from_str::<Value>(body).unwrap());
    }
}

#[test]
fn a_spec_comes_back_as_it_was_written() {
    for body in [FULL, WEB].into_iter().chain(OTHERS) {
        let mut sent: Value = serde_json::from_str(body).unwrap();
        sent["TaskTemplate"]["Runtime"] = json!("container");
        if sent["Mode"]["Replicated"] == json!({}) {
            sent["Mode"]["Replicated"] = json!({"Replicas": 1});
        }

        assert_eq!(there_and_back(body), sent);
    }
}

#[test]
fn defaults_are_swarms() {
    let mut spec = read(WEB);

    spec.insert_defaults();

    let shown = serde_json::to_value(spec).unwrap();
    let update = json!({"Parallelism": 1, "FailureAction": "pause", "Monitor": 5_000_000_000_i64,
        "MaxFailureRatio": 0, "Order": "stop-first"});
    assert_eq!(shown["UpdateConfig"], update);
    assert_eq!(shown["RollbackConfig"], update);
    assert_eq!(
        shown["TaskTemplate"]["RestartPolicy"],
        json!({"Condition": "any", "Delay": 5_000_000_000_i64, "MaxAttempts": 0})
    );
    assert_eq!(shown["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"], json!(10_000_000_000_i64));
}

#[test]
fn older_clients_lose_later_fields_silently() {
    let mut old = read(FULL);
    gate(&mut old, ApiVersion::new(1, 39));
    let mut current = read(FULL);
    gate(&mut current, ApiVersion::CURRENT);

    assert_eq!(current, read(FULL));
    let task = old.task_template;
    let container = task.container_spec.unwrap();
    assert!(
        container.sysctls.is_empty() && container.capability_add.is_empty() && container.ulimits.is_empty()
    );
    assert_eq!(container.oom_score_adj, 0);
    assert_eq!(container.healthcheck.unwrap().start_interval, 0);
    assert_eq!(task.placement.unwrap().max_replicas, 0);
    assert_eq!(task.resources.unwrap().limits.unwrap().pids, 0);
}

#[test]
fn what_cannot_be_is_refused_in_dockers_words() {
    for (change, says) in [
        (
            json!({"TaskTemplate": {"RestartPolicy": {"Delay": -1}}}),
            "TaskSpec: restart-delay cannot be negative",
        ),
        (json!({"TaskTemplate": {"RestartPolicy": {"Condition": "x"}}}), "invalid RestartCondition: \"x\""),
        (json!({"UpdateConfig": {"Delay": -1}}), "TaskSpec: update-delay cannot be negative"),
        (json!({"UpdateConfig": {"FailureAction": "x"}}), "unrecognized update failure action x"),
        (json!({"UpdateConfig": {"Order": "x"}}), "unrecognized update order x"),
        (json!({"Mode": {"Global": {}, "Replicated": {}}}), "must specify only one service mode"),
        (json!({"EndpointSpec": {"Mode": "x"}}), "invalid resolution mode: \"x\""),
        (json!({"EndpointSpec": {"Ports": [{"TargetPort": 65536}]}}), "invalid port 65536"),
        (
            json!({"EndpointSpec": {"Ports": [{"TargetPort": 1, "Protocol": "icmp"}]}}),
            "invalid port protocol",
        ),
        (json!({"TaskTemplate": {"ContainerSpec": {"Mounts": [{"Type": "x"}]}}}), "invalid MountType: \"x\""),
        (
            json!({"TaskTemplate": {"ContainerSpec": {"Healthcheck": {"Retries": -1}}}}),
            "Retries in Healthcheck",
        ),
        (
            json!({"TaskTemplate": {"ContainerSpec": {"Healthcheck": {"Interval": -1}}}}),
            "Interval in Healthcheck",
        ),
        (json!({"TaskTemplate": {"ContainerSpec": {"Secrets": [{"SecretName": "key"}]}}}), "secret \"key\""),
        (
            json!({"TaskTemplate": {"ContainerSpec": {"Configs": [{"ConfigName": "site"}]}}}),
            "config \"site\"",
        ),
        (
            json!({"TaskTemplate": {"ContainerSpec": {"Privileges": {"Seccomp": {"Mode": "x"}}}}}),
            "seccomp mode",
        ),
        (json!({"TaskTemplate": {"Runtime": "plugin"}}), "unsupported runtime"),
        (json!({"TaskTemplate": {"ContainerSpec": null}}), "mismatched Runtime"),
        (json!({"TaskTemplate": {"Resources": {"Limits": {"NanoCPUs": -5}}}}), "invalid cpu value"),
        (json!({"TaskTemplate": {"Resources": {"Limits": {"MemoryBytes": -5}}}}), "invalid memory value -5"),
    ] {
        let mut body: Value = serde_json::from_str(WEB).unwrap();
        merge(&mut body, change);

        let error = model::ServiceSpec::try_from(read(&body.to_string())).unwrap_err().to_string();

        assert!(error.contains(says), "{error}: {says}");
    }
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

#[test]
fn an_empty_service_has_every_struct_and_no_status() {
    let shown = serde_json::to_value(Service::default()).unwrap();

    assert_eq!(
        shown,
        json!({"ID": "", "Version": {"Index": 0}, "CreatedAt": "0001-01-01T00:00:00Z",
            "UpdatedAt": "0001-01-01T00:00:00Z", "Endpoint": {"Spec": {}},
            "Spec": {"Labels": {}, "TaskTemplate": {"ForceUpdate": 0}, "Mode": {}}})
    );
}
