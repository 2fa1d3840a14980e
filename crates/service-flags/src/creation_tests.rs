//! Compares bodies with those the docker CLI 28.2.2 sends for the same flags.

use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    creation: Creation,
}

fn body(words: &[&str]) -> Result<Value, String> {
    let words = std::iter::once(&"create").chain(words);
    let program = Program::try_parse_from(words).map_err(|error| error.to_string())?;
    let spec = program.creation.spec(&|_| None).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(spec).unwrap())
}

fn check(line: &str, expected: &str) {
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(body(&line.split_whitespace().collect::<Vec<_>>()).unwrap(), expected, "{line}");
}

#[test]
fn a_plain_service_is_dockers() {
    check("--name web nginx", include_str!("../../engine-json/src/payloads/web.json"));
    check(
        "--name j --mode replicated-job --replicas 5 --max-concurrent 2 --no-healthcheck alpine",
        include_str!("../../engine-json/src/payloads/j.json"),
    );
    check("--name gj --mode global-job alpine", include_str!("../../engine-json/src/payloads/gj.json"));
    check(
        "--name g --mode global --restart-condition any alpine",
        include_str!("../../engine-json/src/payloads/g.json"),
    );
}

#[test]
fn every_flag_writes_what_docker_writes() {
    let line = "--name full -l a=b --container-label c=d --mode replicated --replicas 3 -u 1000:1000 \
        --group 20 -w /w -e A=1 -e B=2 --hostname h -t --init --read-only --stop-signal SIGINT --stop-grace-period 3s \
        --cap-add NET_ADMIN --cap-drop CHOWN --sysctl net.core.somaxconn=5 --ulimit nofile=10:20 --oom-score-adj 5 \
        --mount type=volume,source=v,target=/v,volume-nocopy,volume-label=x=y,volume-driver=local,volume-opt=o=1 \
        --mount type=bind,source=/tmp,target=/b,readonly,bind-propagation=rshared \
        --mount type=tmpfs,target=/t,tmpfs-size=10m,tmpfs-mode=1700 --health-cmd true --health-interval 3s \
        --health-timeout 2s --health-retries 3 --health-start-period 1s --health-start-interval 500ms --dns 8.8.8.8 \
        --dns-option ndots:1 --dns-search x.y --host a:1.2.3.4 --endpoint-mode vip -p 8080:80 -p 53:53/udp \
        -p published=9,target=10,mode=host -p 7000-7002:7000-7002 --limit-cpu 0.5 --limit-memory 64m --limit-pids 10 \
        --reserve-cpu .1 --reserve-memory 32m --generic-resource gpu=1 --constraint node.role==worker \
        --placement-pref spread=node.labels.rack --replicas-max-per-node 2 --restart-condition on-failure \
        --restart-delay 1s --restart-max-attempts 3 --restart-window 10s --update-parallelism 2 --update-delay 1s \
        --update-failure-action rollback --update-max-failure-ratio .1 --update-monitor 2s --update-order start-first \
        --rollback-parallelism 0 --rollback-delay 1s --rollback-failure-action continue \
        --rollback-max-failure-ratio 0.5 --rollback-monitor 2s --rollback-order start-first --log-driver json-file \
        --log-opt max-size=1m";
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--entrypoint", "sh -c", "alpine", "a", "b", "c"]);
    let expected: Value =
        serde_json::from_str(include_str!("../../engine-json/src/payloads/full.json")).unwrap();

    assert_eq!(body(&words).unwrap(), expected);
}

#[test]
fn one_flag_of_a_group_brings_the_group() {
    let update = |words: &[&str], field: &str| body(words).unwrap()[field].clone();

    assert_eq!(
        update(&["--update-parallelism", "0", "x"], "UpdateConfig"),
        json!({"Parallelism": 0, "FailureAction": "pause", "Monitor": 5_000_000_000_i64, "MaxFailureRatio": 0,
            "Order": "stop-first"})
    );
    assert_eq!(
        update(&["--restart-window", "5s", "x"], "TaskTemplate")["RestartPolicy"],
        json!({"Condition": "any", "Delay": 5_000_000_000_i64, "MaxAttempts": 0, "Window": 5_000_000_000_i64})
    );
    assert_eq!(
        update(&["--stop-grace-period", "0s", "--health-retries", "2", "x"], "TaskTemplate")["ContainerSpec"],
        json!({"Image": "x:latest", "Init": false, "StopGracePeriod": 0, "Healthcheck": {"Retries": 2},
            "DNSConfig": {}})
    );
    assert_eq!(update(&["--replicas", "0", "x"], "Mode"), json!({"Replicated": {"Replicas": 0}}));
}

#[test]
fn words_after_the_image_belong_to_the_container() {
    let body = body(&["nginx", "--name", "x", "-e", "y"]).unwrap();

    assert_eq!(body["TaskTemplate"]["ContainerSpec"]["Args"], json!(["--name", "x", "-e", "y"]));
    assert_eq!(body.get("Name"), None);
}

#[test]
fn flags_can_be_switched_off() {
    for (words, init) in
        [(vec!["--init", "x"], true), (vec!["--init=false", "x"], false), (vec!["-t", "x"], false)]
    {
        assert_eq!(body(&words).unwrap()["TaskTemplate"]["ContainerSpec"]["Init"], json!(init), "{words:?}");
    }
}

#[test]
fn mistakes_are_told_before_the_daemon_is_asked() {
    for (words, says) in [
        (vec!["--nope", "x"], "--nope"),
        (vec![], "required"),
        (vec!["-p", "a:b", "x"], "invalid containerPort: b"),
        (vec!["--mode", "global", "--replicas", "3", "x"], "replicas can only be used with replicated"),
        (vec!["--mode", "global-job", "--update-delay", "1s", "x"], "not supported for jobs"),
        (vec!["--no-healthcheck", "--health-cmd", "true", "x"], "--no-healthcheck conflicts"),
        (vec!["--limit-memory", "lots", "x"], "invalid size"),
        (vec!["--update-delay", "5", "x"], "missing unit"),
        (vec!["--max-concurrent", "2", "x"], "replicated-job mode"),
        (vec!["--replicas", "-1", "x"], "-1"),
    ] {
        let error = body(&words).unwrap_err();

        assert!(error.contains(says), "{words:?}: {error}");
    }
}

#[test]
fn how_ports_are_carried_is_kept_in_labels() {
    let body =
        body(&["-l", "a=b", "-p", "published=80,target=8080,app_protocol=http", "-p", "90:90", "nginx"])
            .unwrap();

    assert_eq!(body["Labels"], json!({"a": "b", "drover.port.8080.app_protocol": "http"}));
    assert_eq!(body["EndpointSpec"]["Ports"].as_array().unwrap().len(), 2);
}
