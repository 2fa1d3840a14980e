//! Logs of services and tasks.

use engine_json::{Channel, Frame};
use http::Request;
use model::TaskState;
use serde_json::json;

use crate::services::spec;
use crate::support::{Host, line};

async fn running() -> (Host, model::TaskId) {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    let task = host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    (host, task)
}

fn frames(mut bytes: &[u8]) -> Vec<(Channel, String)> {
    let mut found = Vec::new();
    while let Some((frame, length)) = Frame::decode(bytes).unwrap() {
        found.push((frame.channel, String::from_utf8(frame.payload.to_vec()).unwrap()));
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty(), "half a frame is left");
    found
}

#[tokio::test]
async fn each_line_is_a_frame_with_its_origin() {
    let (host, task) = running().await;
    host.engine.has_line(line(Some(task), Channel::Stdout, "hello\n"));
    host.engine.has_line(line(Some(task), Channel::Stderr, "oh no\n"));
    host.engine.has_line(line(None, Channel::SystemError, "Error grabbing logs: node w1 is down\n"));

    let plain = host.get("/v1.50/services/web/logs?stdout=1&stderr=1&tail=5").await;
    let full = host.get(&format!("/tasks/{task}/logs?stdout=1&details=1&timestamps=1")).await;

    assert_eq!(plain.header("content-type"), "application/vnd.docker.multiplexed-stream");
    let (node, service) = (host.cluster().node, host.cluster().service("web").id);
    let origin = format!(
        "com.docker.swarm.node.id={node},com.docker.swarm.service.id={service},com.docker.swarm.task.id={task}"
    );
    assert_eq!(
        frames(&plain.body),
        [
            (Channel::Stdout, "hello\n".to_owned()),
            (Channel::Stderr, "oh no\n".to_owned()),
            (Channel::SystemError, "Error grabbing logs: node w1 is down\n".to_owned()),
        ]
    );
    assert_eq!(frames(&full.body)[0].1, format!("1970-01-01T00:00:01.500000000Z {origin} hello\n"));
    assert_eq!(host.engine.calls(), ["logs of 1 tasks, tail Some(5)", "logs of 1 tasks, tail None"]);
}

#[tokio::test]
async fn followed_logs_go_on_with_later_tasks_and_end_with_the_service() {
    let (host, first) = running().await;
    host.engine.has_line(line(Some(first), Channel::Stdout, "old\n"));
    let mut logs = host.lines("/services/web/logs?stdout=1&follow=1&tail=1").await;

    let old = logs.part().await.unwrap();
    host.engine.say(line(Some(first), Channel::Stdout, "fresh\n")).await;
    let fresh = logs.part().await.unwrap();
    host.cluster().put_task("web", 2, TaskState::Running, TaskState::Running).await;
    let of_second = logs.part().await.unwrap();

    assert_eq!(frames(&old)[0].1, "old\n");
    assert_eq!(frames(&fresh)[0].1, "fresh\n");
    assert_eq!(frames(&of_second)[0].1, "old\n");
    assert_eq!(host.engine.calls(), ["logs of 1 tasks, tail Some(1)", "logs of 1 tasks, tail None"]);
}

#[tokio::test]
async fn a_service_without_tasks_has_no_logs_yet() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;

    let drained = host.get("/services/web/logs?stdout=1").await;
    let mut followed = host.lines("/services/web/logs?stdout=1&follow=1").await;
    host.delete("/services/web").await;

    assert_eq!((drained.status, drained.body.len()), (200, 0));
    assert_eq!(followed.part().await, None, "nothing is left to wait for");
}

#[tokio::test]
async fn headers_come_before_the_first_line() {
    let (host, _) = running().await;

    let response = host.open(Request::get("/services/web/logs?stdout=1&follow=1"), "").await;

    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_terminals_output_is_not_framed() {
    let host = Host::manager().await;
    let mut spec = spec("web");
    spec["TaskTemplate"]["ContainerSpec"]["TTY"] = json!(true);
    host.create(&spec).await;
    let task = host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    host.engine.has_line(line(Some(task), Channel::Stdout, "raw\r\n"));

    let answer = host.get("/services/web/logs?stdout=1").await;

    assert_eq!(answer.header("content-type"), "application/vnd.docker.raw-stream");
    assert_eq!(&answer.body[..], b"raw\r\n");
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused() {
    let (host, _) = running().await;

    for (query, fragment) in [
        ("", "you must choose at least one stream"),
        ("stdout=0&stderr=false", "you must choose at least one stream"),
        ("stdout=1&tail=many", "tail"),
        ("stdout=1&tail=1.5", "tail"),
        ("stdout=1&since=yesterday", "since"),
    ] {
        let (status, message) = host.get(&format!("/services/web/logs?{query}")).await.error();
        assert_eq!(status, 400, "{query}");
        assert!(message.contains(fragment), "{message}");
    }
    assert_eq!(host.get("/services/nope/logs?stdout=1").await.error().0, 404);
}
