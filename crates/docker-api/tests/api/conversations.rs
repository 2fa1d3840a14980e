//! Connections that leave HTTP: attach and exec.

use container_json::Inspect;
use docker_api::LocalState;
use engine_json::{Channel, Frame};
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::support::{Host, PATIENCE, container};

/// A connection on which HTTP was spoken once.
struct Wire {
    stream: UnixStream,
    head: String,
}

impl Wire {
    /// Sends a request and reads the head of its answer, to the letter.
    async fn open(host: &Host, request: &str, body: &str) -> Self {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        let request = request.replace('\n', "\r\n");
        let length = body.len();
        let request = format!(
            "{request}\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.expect("a head comes").unwrap());
        }
        Self { stream, head: String::from_utf8(head).unwrap() }
    }

    async fn upgrade(host: &Host, request: &str, body: &str) -> Self {
        Self::open(host, &format!("{request}\nConnection: Upgrade\nUpgrade: tcp"), body).await
    }

    async fn exactly(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await.expect("something comes").unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
    }

    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("it ends").unwrap();
        rest
    }

    fn has(&self, line: &str) -> bool {
        self.head.split("\r\n").any(|known| known == line)
    }
}

fn stdout(text: &str) -> Vec<u8> {
    Frame { channel: Channel::Stdout, payload: text.as_bytes() }.encode()
}

fn stderr(text: &str) -> Vec<u8> {
    Frame { channel: Channel::Stderr, payload: text.as_bytes() }.encode()
}

/// Returns a host with a container in frames and one with a terminal.
fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    host.engine.knows(container("web"));
    let mut terminal = container("term");
    terminal.id = "bbbb".into();
    terminal.config.tty = true;
    host.engine.knows(terminal);
    host
}

#[tokio::test]
async fn an_upgrade_is_answered_as_docker_does_and_ends_one_direction_at_a_time() {
    let host = host();
    let attach = "POST /v1.50/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1";

    let mut wire = Wire::upgrade(&host, attach, "").await;

    assert!(wire.head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{}", wire.head);
    assert!(wire.has("Content-Type: application/vnd.docker.multiplexed-stream"), "{}", wire.head);
    assert!(wire.has("Connection: Upgrade") && wire.has("Upgrade: tcp"), "{}", wire.head);
    assert!(wire.has("Api-Version: 1.50"), "{}", wire.head);
    wire.exactly(&stdout("hello\n")).await;
    wire.stream.write_all(b"one ").await.unwrap();
    wire.stream.write_all(b"two").await.unwrap();
    wire.stream.shutdown().await.unwrap();
    // What the program says after its input has ended still comes.
    assert_eq!(wire.rest().await, stderr("heard one two"));
}

#[tokio::test]
async fn what_a_client_sends_before_the_answer_is_not_lost() {
    let host = host();
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();
    let eager = "POST /containers/web/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n\
                 Upgrade: tcp\r\nContent-Length: 0\r\n\r\nearly";

    stream.write_all(eager.as_bytes()).await.unwrap();
    let mut hello = [0; 5];
    while hello != *b"hello" {
        hello.rotate_left(1);
        hello[4] = timeout(PATIENCE, stream.read_u8()).await.expect("a greeting comes").unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut rest)).await.expect("it ends").unwrap();

    assert!(rest.ends_with("heard early"), "{rest}");
}

#[tokio::test]
async fn docker_py_gets_the_head_alone() {
    let host = host();
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();
    let request = "POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n\
                   Upgrade: tcp\r\nUser-Agent: docker-sdk-python/7.1.0\r\nContent-Length: 0\r\n\r\n";

    stream.write_all(request.as_bytes()).await.unwrap();
    let mut ahead = vec![0; 8192];
    let length = timeout(PATIENCE, stream.read(&mut ahead)).await.expect("a head comes").unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends").unwrap();

    assert!(ahead[..length].ends_with(b"\r\n\r\n"), "{:?}", String::from_utf8_lossy(&ahead[..length]));
    assert_eq!(rest, stdout("hello\n"));
}

#[tokio::test]
async fn content_types_tell_frames_from_bytes_by_version() {
    let host = host();
    let attach = async |version: &str, name: &str| {
        let request = format!("POST {version}/containers/{name}/attach?stream=1&stdout=1 HTTP/1.1");
        let mut wire = Wire::upgrade(&host, &request, "").await;
        let raw = wire.has("Content-Type: application/vnd.docker.raw-stream");
        (raw, wire.rest().await)
    };

    assert_eq!(attach("/v1.42", "web").await, (false, stdout("hello\n")));
    assert_eq!(attach("/v1.41", "web").await, (true, stdout("hello\n")));
    assert_eq!(attach("", "term").await, (true, b"hello\n".to_vec()));
}

#[tokio::test]
async fn a_client_that_asks_for_no_upgrade_listens() {
    let host = host();
    let attach = "/containers/web/attach?stream=1&stdin=1&stdout=1&logs=1";

    let silent = host.send(Request::post("/containers/web/attach?stream=1&stdout=1"), "").await;
    let missing = Wire::upgrade(&host, "POST /containers/nope/attach HTTP/1.1", "").await;
    let mut lines = host.open(Request::post(attach), "").await.into_body();
    let first = http_body_util::BodyExt::frame(&mut lines).await.unwrap().unwrap();

    assert_eq!((silent.status, silent.body.to_vec()), (200, stdout("hello\n")));
    assert_eq!(silent.header("content-type"), "application/vnd.docker.multiplexed-stream");
    assert_eq!(first.into_data().unwrap(), stdout("hello\n"));
    assert!(missing.head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{}", missing.head);
    let asked = &host.engine.calls()[1];
    assert_eq!(
        asked,
        "attach web Attach { stream: true, stdin: true, stdout: true, stderr: false, logs: true, detach_keys: \"\" }"
    );
}

#[tokio::test]
async fn commands_are_prepared_started_and_described() {
    let host = host();
    let body =
        json!({"Cmd": ["sh"], "AttachStdin": true, "AttachStdout": true, "User": "1", "Detach": false});

    let created = host.post("/containers/web/exec", &body).await;
    let mut wire = Wire::upgrade(
        &host,
        "POST /v1.50/exec/e0e0/start HTTP/1.1",
        r#"{"Detach":false,"ConsoleSize":[24,80]}"#,
    )
    .await;
    wire.exactly(&stdout("hello\n")).await;
    wire.stream.write_all(b"input").await.unwrap();
    wire.stream.shutdown().await.unwrap();
    let rest = wire.rest().await;
    let resized = host.post("/exec/e0e0/resize?h=24&w=80", &json!(null)).await;
    let detached = host.post("/exec/e0e0/start", &json!({"Detach": true})).await;
    let shown = host.get("/exec/e0e0/json").await.json();

    assert_eq!((created.status, created.json()), (201, json!({"Id": "e0e0"})));
    assert!(wire.head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{}", wire.head);
    assert_eq!(rest, stderr("heard input"));
    assert_eq!((resized.status, detached.status, detached.body.len()), (200, 200, 0));
    assert_eq!((&shown["ID"], &shown["ExitCode"]), (&json!("e0e0"), &json!(3)));
    assert_eq!(
        host.engine.calls(),
        [r#"exec web ["sh"] "1""#, "start e0e0 Some([24, 80])", "resize e0e0 24x80", "start e0e0 detached"]
    );
}

#[tokio::test]
async fn commands_that_cannot_be_are_refused() {
    let host = host();
    let mut ended = container("ended");
    ended.id = "dddd".into();
    ended.state.running = false;
    host.engine.knows(Inspect { ..ended });

    let nothing = host.post("/containers/web/exec", &json!({"Cmd": []})).await.error();
    let nobody = host.post("/containers/nope/exec", &json!({"Cmd": ["a"]})).await.error();
    let stopped = host.post("/containers/ended/exec", &json!({"Cmd": ["a"]})).await.error();
    let unknown = host.post("/exec/nope/start", &json!({})).await.error();

    assert_eq!(nothing, (400, "No exec command specified".into()));
    assert_eq!(nobody, (404, "No such container: nope".into()));
    assert_eq!(stopped, (409, "container ended is not running".into()));
    assert_eq!(unknown, (404, "No such exec instance: nope".into()));
    for query in ["", "h=1", "h=x&w=1", "h=70000&w=1"] {
        assert_eq!(host.post(&format!("/containers/web/resize?{query}"), &json!(null)).await.error().0, 400);
    }
}

#[tokio::test]
async fn conversations_end_with_the_server() {
    let host = host();
    let request = "POST /containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1";
    let mut wire = Wire::upgrade(&host, request, "").await;
    wire.exactly(&stdout("hello\n")).await;

    drop(host);

    assert_eq!(wire.rest().await, b"");
}
