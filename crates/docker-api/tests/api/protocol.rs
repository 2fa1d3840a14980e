//! What holds for every request.

use bytes::Bytes;
use docker_api::LocalState;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::Host;

#[tokio::test]
async fn ping_tells_the_version_and_the_place_in_the_cluster() {
    let alone = Host::outside(LocalState::Inactive);
    let worker = Host::outside(LocalState::Active);
    let manager = Host::manager().await;

    let get = alone.get("/_ping").await;
    let head = manager.send(Request::head("/v1.30/_ping"), Bytes::new()).await;

    assert_eq!((get.status, &get.body[..]), (200, &b"OK"[..]));
    assert_eq!(get.header("api-version"), "1.50");
    assert_eq!(get.header("docker-experimental"), "false");
    assert_eq!(get.header("ostype"), "linux");
    assert_eq!(get.header("builder-version"), "2");
    assert_eq!(get.header("cache-control"), "no-cache, no-store, must-revalidate");
    assert_eq!(get.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(get.header("swarm"), "inactive");
    assert_eq!((head.status, head.header("content-length")), (200, "0"));
    assert_eq!(head.header("swarm"), "active/manager");
    assert_eq!(worker.get("/_ping").await.header("swarm"), "active/worker");
}

#[tokio::test]
async fn headers_are_written_as_docker_writes_them() {
    let host = Host::outside(LocalState::Inactive);
    let mut stream = UnixStream::connect(&host.socket).await.unwrap();

    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    for header in ["\r\nApi-Version: 1.50\r\n", "\r\nOstype: linux\r\n", "\r\nServer: Drover/"] {
        assert!(answer.contains(header), "{header:?} in {answer}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let host = Host::manager().await;

    for (method, path) in [
        ("GET", "/nope"),
        ("GET", "/v1.50/nope"),
        ("GET", "/v1.50"),
        ("GET", "/"),
        ("DELETE", "/services"),
        ("PUT", "/services/create"),
        ("POST", "/services"),
        ("PUT", "/images/a/b"),
    ] {
        let answer = host.send(Request::builder().method(method).uri(path), Bytes::new()).await;

        assert_eq!(answer.error(), (404, "page not found".into()), "{method} {path}");
        assert_eq!(answer.header("api-version"), "1.50");
    }
    let head = host.send(Request::head("/events"), Bytes::new()).await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn names_that_are_no_text_are_refused() {
    let host = Host::manager().await;

    for path in ["/services/%ff", "/nodes/%ff", "/images/%ff/json"] {
        assert_eq!(host.get(path).await.error().0, 400, "{path}");
    }
    assert_eq!(host.get("/services/%2e%2e").await.error(), (404, "service .. not found".into()));
}

#[tokio::test]
async fn options_are_answered_everywhere() {
    let host = Host::outside(LocalState::Inactive);

    for path in ["/nope", "/services", "/v9.9/services"] {
        let answer = host.send(Request::options(path), Bytes::new()).await;

        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn versions_outside_the_window_are_refused() {
    let host = Host::manager().await;

    let new = host.get("/v1.51/services").await.error();
    let old = host.get("/v1.23/services").await.error();

    assert_eq!(new.0, 400);
    assert_eq!(new.1, "client version 1.51 is too new. Maximum supported API version is 1.50");
    assert_eq!(old.0, 400);
    assert!(old.1.contains("Minimum supported API version is 1.24"), "{}", old.1);
    assert_eq!(host.get("/v1.24/services").await.status, 200);
    assert_eq!(host.get("/services").await.status, 200);
}

#[tokio::test]
async fn bodies_must_be_json_and_say_so() {
    let host = Host::manager().await;
    let send = async |content_type: &str, body: &'static str| {
        let mut request = Request::post("/services/create");
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        host.send(request, body).await.error()
    };

    let (status, broken) = send("application/json", "{\"Name\":").await;
    assert_eq!(status, 400);
    assert!(broken.starts_with("invalid JSON: "), "{broken}");
    assert_eq!(send("application/json", "{} x").await.0, 400);
    assert_eq!(send("application/json", "{}{}").await.1, "invalid JSON: unexpected content after JSON");
    assert_eq!(send("application/json", "").await.1, "invalid JSON: got EOF while reading request body");
    let (status, wrong) = send("text/plain", "{}").await;
    assert_eq!(status, 400);
    assert_eq!(wrong, "unsupported Content-Type header (text/plain): must be 'application/json'");
    assert_eq!(send("", "{}").await.0, 400);
    // Read as JSON, then refused for what it lacks.
    let (_, lacking) = send("application/json; charset=utf-8", "{}").await;
    assert!(lacking.contains("ContainerSpec"), "{lacking}");
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let host = Host::manager().await;
    let request = Request::post("/services/create").header("content-type", "application/json");

    let answer = host.send(request, vec![b' '; (2 << 20) + 1]).await;

    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_refused_upload_is_read_to_its_end_so_that_the_client_sees_why() {
    let host = Host::manager().await;

    for path in ["/build", "/nope", "/v1.99/images/load", "/containers/create"] {
        let mut stream = UnixStream::connect(&host.socket).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Length: 8388608\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..8 {
            stream.write_all(&vec![0; 1 << 20]).await.unwrap();
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();

        assert!(matches!(&answer[..10], b"HTTP/1.1 4" | b"HTTP/1.1 5"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn unknown_filters_are_refused_by_name() {
    let host = Host::manager().await;

    for path in ["/services", "/nodes", "/tasks", "/networks", "/events", "/images/json", "/containers/json"]
    {
        let answer = host.get(&format!("{path}?filters=%7B%22nope%22%3A%5B%22x%22%5D%7D")).await;
        assert_eq!(answer.error(), (400, "invalid filter 'nope'".into()), "{path}");

        let answer = host.get(&format!("{path}?filters=%7B")).await;
        assert_eq!(answer.error().0, 400, "{path}");
    }
}

#[tokio::test]
async fn managers_alone_answer_for_the_cluster() {
    let alone = Host::outside(LocalState::Inactive);
    let worker = Host::outside(LocalState::Active);

    for path in
        ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/services/x", "/tasks/x/logs"]
    {
        let (status, message) = alone.get(path).await.error();
        assert_eq!(status, 503, "{path}");
        assert!(
            message.starts_with("This node is not a swarm manager. Use \"docker swarm init\""),
            "{message}"
        );

        let (status, message) = worker.get(path).await.error();
        assert_eq!(status, 503, "{path}");
        assert!(message.starts_with("This node is not a swarm manager. Worker nodes can't"), "{message}");
    }
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name_or_empty() {
    let host = Host::manager().await;

    let commit = host.post("/v1.50/commit?container=x", &json!({})).await.error();

    assert_eq!(commit.0, 501);
    assert!(commit.1.contains("building images is not supported"), "{}", commit.1);
    assert_eq!(host.get("/plugins").await.json(), json!([]));
    assert_eq!(host.get("/secrets").await.json(), json!([]));
    assert_eq!(host.get("/configs").await.json(), json!([]));
    let builds = host.post("/build/prune", &json!(null)).await.json();
    assert_eq!(builds, json!({"CachesDeleted": null, "SpaceReclaimed": 0}));
    assert_eq!(host.get("/secrets/x").await.error(), (404, "secret x not found".into()));
}

#[tokio::test]
async fn info_and_version_are_the_hosts_and_the_clusters() {
    let host = Host::manager().await;

    let info = host.get("/info").await.json();
    let version = host.get("/v1.50/version").await.json();

    let swarm = &info["Swarm"];
    assert_eq!(swarm["LocalNodeState"], "active");
    assert_eq!(swarm["ControlAvailable"], true);
    assert_eq!((&swarm["Nodes"], &swarm["Managers"]), (&json!(1), &json!(1)));
    assert_eq!(swarm["NodeID"], host.cluster().node.to_string());
    assert!(swarm["Cluster"].get("JoinTokens").is_none(), "{swarm}");
    assert_eq!(version["ApiVersion"], "1.50");

    let outside = Host::outside(LocalState::Inactive).get("/info").await.json();
    assert_eq!(outside["Swarm"]["RemoteManagers"], json!(null));
    assert_eq!(outside["Swarm"]["ControlAvailable"], false);
}
