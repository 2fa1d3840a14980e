//! The verbs of a container's life, its figures, its logs.

use container_json::{Health, Inspect};
use docker_api::LocalState;
use http::Request;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Host, PATIENCE, container};

fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    host.engine.knows(container("web"));
    host
}

#[tokio::test]
async fn verbs_reach_the_host_and_have_dockers_codes() {
    let host = host();
    let code = async |path: &str| host.send(Request::post(path), "").await.status;

    for (path, expected) in [
        ("/containers/web/start", 304),
        ("/containers/web/stop?t=5&signal=INT", 204),
        ("/containers/web/stop", 204),
        ("/containers/web/restart?t=-1", 204),
        ("/containers/web/kill?signal=HUP", 204),
        ("/containers/web/pause", 204),
        ("/containers/web/unpause", 204),
        ("/containers/web/resize?h=24&w=80", 200),
        ("/containers/web/rename?name=api", 204),
        ("/containers/web/stop?t=soon", 400),
        ("/containers/web/wait?condition=later", 400),
        ("/containers/web/start?checkpoint=x", 501),
        ("/containers/nope/start", 404),
    ] {
        assert_eq!(code(path).await, expected, "{path}");
    }
    let removed = host.delete("/containers/web?force=1&v=1").await;

    assert_eq!((removed.status, removed.body.len()), (204, 0));
    assert_eq!(
        host.engine.calls(),
        [
            "start web",
            r#"stop web "INT" Some(5)"#,
            r#"stop web "" None"#,
            r#"restart web "" Some(-1)"#,
            "kill web HUP",
            "pause web",
            "unpause web",
            "resize web 24x80",
            "rename web api",
            "remove web ContainerRemoval { force: true, volumes: true, link: false }",
        ]
    );
}

#[tokio::test]
async fn containers_are_made_and_described() {
    let host = host();

    let body = json!({"Image": "nginx", "HostConfig": {"Memory": 5}});
    let created = host.post("/v1.50/containers/create?name=x&platform=linux/amd64", &body).await;
    let missing = host.post("/containers/create", &json!({"Image": "missing"})).await.error();
    let malformed = host.post("/containers/create", &json!({"HostConfig": {"Memory": "much"}})).await.error();
    let shown = host.get("/containers/x/json?size=1").await.json();
    let updated =
        host.post("/containers/x/update", &json!({"Memory": 9, "RestartPolicy": {"Name": "always"}})).await;

    assert_eq!(created.status, 201);
    assert_eq!(created.json(), json!({"Id": "c0ffee".repeat(10) + "c0ff", "Warnings": []}));
    assert_eq!(missing, (404, "No such image: missing:latest".into()));
    assert!(malformed.0 == 400 && malformed.1.contains("HostConfig: Memory: "), "{malformed:?}");
    assert_eq!((&shown["Name"], &shown["HostConfig"]["Memory"]), (&json!("/x"), &json!(5)));
    assert_eq!(updated.json(), json!({"Warnings": null}));
    assert_eq!(host.engine.calls()[0], "create x of nginx linux/amd64");
    assert_eq!(host.engine.calls().last().unwrap(), "update x 9 always");
}

#[tokio::test]
async fn the_headers_of_a_wait_come_before_the_end() {
    let host = host();

    let waiting = host.open(Request::post("/containers/web/wait?condition=next-exit"), "").await;
    host.engine.end(3);
    let body = http_body_util::BodyExt::collect(waiting.into_body());
    let answer = timeout(PATIENCE, body).await.expect("the wait ends").unwrap().to_bytes();

    assert_eq!(&answer[..], b"{\"StatusCode\":3}\n");
    assert_eq!(host.engine.calls(), ["wait web NextExit"]);
}

#[tokio::test]
async fn figures_come_once_or_each_second_with_those_before() {
    let host = host();

    let once = host.get("/containers/web/stats?stream=0&one-shot=1").await.json();
    let twice = host.get("/containers/web/stats?stream=false").await.json();
    let mut stream = host.lines("/v1.50/containers/web/stats").await;
    let (first, second) = (stream.next().await.unwrap(), stream.next().await.unwrap());
    let missing = host.get("/containers/nope/stats").await.error();

    let before =
        |stats: &serde_json::Value| stats["precpu_stats"]["cpu_usage"]["total_usage"].as_u64().unwrap();
    assert_eq!((before(&once), &once["preread"]), (0, &json!("0001-01-01T00:00:00Z")));
    assert_eq!((before(&twice), &twice["preread"]), (1_000_000_000, &json!("1970-01-01T00:00:02Z")));
    assert_eq!((before(&first), before(&second)), (0, 2_000_000_000));
    assert_eq!((missing.0, &once["memory_stats"]["stats"]["inactive_file"]), (404, &json!(1 << 20)));
}

#[tokio::test]
async fn processes_changes_and_pruning_are_told() {
    let host = host();

    let top = host.get("/containers/web/top?ps_args=aux").await.json();
    let changes = host.get("/containers/web/changes").await.json();
    let filters = "%7B%22until%22:%5B%221h%22%5D%7D";
    let pruned = host.post(&format!("/containers/prune?filters={filters}"), &json!(null)).await.json();
    let images =
        host.post("/images/prune?filters=%7B%22dangling%22:%5B%22false%22%5D%7D", &json!(null)).await.json();
    let unknown = host.post("/containers/prune?filters=%7B%22x%22:%5B%5D%7D", &json!(null)).await.error();

    assert_eq!(top, json!({"Processes": [["42", "sh"]], "Titles": ["PID", "CMD"]}));
    assert_eq!(changes, json!([{"Kind": 0, "Path": "/etc"}, {"Kind": 1, "Path": "/etc/x"}]));
    assert_eq!(pruned, json!({"ContainersDeleted": ["old"], "SpaceReclaimed": 3000}));
    assert_eq!(images, json!({"ImagesDeleted": [{"Deleted": "sha256:1"}], "SpaceReclaimed": 2_000_000}));
    assert_eq!(unknown.0, 400);
    assert!(host.engine.calls().contains(&"top web aux".to_owned()));
}

#[tokio::test]
async fn logs_are_framed_unless_they_come_from_a_terminal() {
    let host = host();
    let mut terminal = Inspect { id: "bbbb".into(), name: "/term".into(), ..Inspect::default() };
    terminal.config.tty = true;
    host.engine.knows(terminal);
    let query = "stdout=1&since=1.5&until=1970-01-02&tail=-1&details=1&timestamps=1";

    let framed = host.get(&format!("/v1.50/containers/web/logs?{query}")).await;
    let old = host.get("/v1.41/containers/web/logs?stdout=1").await;
    let raw = host.get("/containers/term/logs?stdout=1").await;
    let nothing = host.get("/containers/web/logs").await.error();

    assert_eq!(framed.header("content-type"), "application/vnd.docker.multiplexed-stream");
    assert_eq!(&framed.body[..], b"\x01\0\0\0\0\0\0\x05line\n");
    assert_eq!(old.header("content-type"), "application/vnd.docker.raw-stream");
    assert_eq!(old.body, framed.body);
    assert_eq!(
        (raw.header("content-type"), &raw.body[..]),
        ("application/vnd.docker.raw-stream", &b"raw\r\n"[..])
    );
    assert_eq!(nothing, (400, "Bad parameters: you must choose at least one stream".into()));
    assert_eq!(
        host.engine.calls()[0],
        "logs web ContainerLogs { lines: LogsWanted { follow: false, stdout: true, stderr: false, \
         since: Some(Timestamp(1500000000)), tail: None }, until: Some(Timestamp(86400000000000)), \
         timestamps: true, details: true }"
    );
}

#[tokio::test]
async fn lists_look_inside_containers_where_they_must() {
    let host = Host::outside(LocalState::Inactive);
    for (id, code, health, port) in [("aaaa", 0, "healthy", "80/tcp"), ("bbbb", 3, "", "53/udp")] {
        let mut inspect = Inspect { id: id.into(), ..Inspect::default() };
        inspect.state.exit_code = code;
        inspect.state.started_at = "2023-11-14T22:13:20Z".parse().unwrap();
        inspect.state.health =
            (!health.is_empty()).then(|| Health { status: health.into(), ..Health::default() });
        inspect.config.exposed_ports.insert(port.into(), engine_json::Nothing::default());
        host.engine.knows(inspect);
        host.engine.has_container(container_json::Summary { id: id.into(), ..Default::default() });
    }
    let listed = async |key: &str, value: &str| {
        let path = format!("/containers/json?all=1&filters=%7B%22{key}%22:%5B%22{value}%22%5D%7D");
        let list = host.get(&path).await.json();
        let ids =
            list.as_array().unwrap().iter().map(|container| container["Id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>().join(" ")
    };

    assert_eq!(listed("exited", "3").await, "bbbb");
    assert_eq!(listed("health", "healthy").await, "aaaa");
    assert_eq!(listed("health", "none").await, "bbbb");
    assert_eq!(listed("expose", "50-60/udp").await, "bbbb");
    assert_eq!(listed("expose", "80").await, "aaaa");
    for path in ["health%22:%5B%22x", "status%22:%5B%22x"] {
        let answer = host.get(&format!("/containers/json?filters=%7B%22{path}%22%5D%7D")).await.error();
        assert_eq!(answer.0, 400, "{path}");
    }
}
