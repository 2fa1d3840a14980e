//! Files in and out of containers.

use bytes::Bytes;
use container_json::PathStat;
use docker_api::LocalState;
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{Host, PATIENCE, container};

fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    host.engine.knows(container("web"));
    host.engine.packs(b"a tar".to_vec());
    host
}

#[tokio::test]
async fn files_are_described_and_packed_with_the_same_header() {
    let host = host();
    let path = "/v1.50/containers/web/archive?path=/etc/passwd";

    let head = host.send(Request::head(path), Bytes::new()).await;
    let archive = host.get(path).await;
    let missing = host.send(Request::head("/containers/web/archive?path=/nowhere"), Bytes::new()).await;
    let no_path = host.get("/containers/web/archive").await.error();

    assert_eq!((head.status, head.body.len()), (200, 0));
    let stat = PathStat::from_header(head.header("x-docker-container-path-stat")).unwrap();
    assert_eq!((stat.name.as_str(), stat.size, stat.mode), ("passwd", 5, 0o644));
    assert_eq!(archive.header("x-docker-container-path-stat"), head.header("x-docker-container-path-stat"));
    assert_eq!(archive.header("content-type"), "application/x-tar");
    assert_eq!(&archive.body[..], b"a tar");
    assert_eq!(missing.status, 404);
    assert_eq!(no_path, (400, "bad parameter: path".into()));
}

#[tokio::test]
async fn uploads_are_handed_on_as_they_come() {
    let host = host();
    let stream = UnixStream::connect(&host.socket).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    drop(tokio::spawn(connection));
    let (pieces, body) = mpsc::channel::<Bytes>(1);
    let body =
        StreamBody::new(ReceiverStream::new(body).map(|piece| Ok::<_, std::io::Error>(Frame::data(piece))));
    let request = Request::put("/containers/web/archive?path=/tmp&noOverwriteDirNonDir=true&copyUIDGID=1")
        .header("host", "docker")
        .body(body)
        .unwrap();
    let answer = tokio::spawn(async move { sender.send_request(request).await.unwrap() });

    pieces.send(Bytes::from(vec![0; 100])).await.unwrap();
    let handed_on = async {
        while !host.engine.calls().contains(&"the first piece is there".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, handed_on).await.expect("the first piece comes before the last is sent");
    pieces.send(Bytes::from(vec![0; 3 << 20])).await.unwrap();
    drop(pieces);
    let answer = timeout(PATIENCE, answer).await.expect("it is answered").unwrap();

    assert_eq!(answer.status(), 200);
    let calls = host.engine.calls();
    assert_eq!(calls[0], "unpack web /tmp Unpack { no_overwrite_dir_non_dir: true, copy_uid_gid: true }");
    assert_eq!(calls[2], format!("unpacked {}", 100 + (3 << 20)));
}

#[tokio::test]
async fn other_routes_have_no_head() {
    let host = host();

    for path in ["/containers/web/export", "/containers/json", "/events"] {
        assert_eq!(host.send(Request::head(path), Bytes::new()).await.status, 404, "{path}");
    }
    assert_eq!(&host.get("/containers/web/export").await.body[..], b"a tree");
}
