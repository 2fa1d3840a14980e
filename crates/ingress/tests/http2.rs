//! Clients that speak HTTP/2 on ports that carry HTTP, with real sockets on the loopback.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod peers;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ingress::{AppProtocol, Config, Ingress, Table};
use peers::{DEADLINE, backend, counters, eventually, refusing, start, task, wait};

fn table(port: u16, backends: &[SocketAddr]) -> Table {
    peers::table(port, AppProtocol::Http, backends)
}

fn publish(ingress: &Ingress, backends: &[SocketAddr]) -> u16 {
    peers::publish(ingress, |port| table(port, backends))
}

/// Runs a backend of either version of HTTP, and returns how many connections it has had.
fn serve<F, A>(is_http2: bool, answer: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = connections.clone();
    std::thread::spawn(move || {
        wait(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                seen.fetch_add(1, Ordering::Relaxed);
                let answer = answer.clone();
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                if is_http2 {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
                } else {
                    let builder = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
                }
            }
        })
    });
    (address, connections)
}

/// Answers with its name, the request's version, fields and body.
fn mirror(is_http2: bool, name: &'static str) -> SocketAddr {
    let answer = move |request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut text = format!("{name} {:?} {} {}\n", parts.version, parts.method, parts.uri.path());
        for (name, value) in &parts.headers {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        let mut all = text.into_bytes();
        all.extend(body);
        Response::new(Full::from(all))
    };
    serve(is_http2, answer).0
}

type Sent = Full<Bytes>;

async fn client(port: u16) -> SendRequest<Sent> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> Request<Sent> {
    Request::get(format!("http://shop:80{path}")).body(Full::default()).unwrap()
}

async fn ask(client: &mut SendRequest<Sent>, request: Request<Sent>) -> (StatusCode, HeaderMap, String) {
    let response = tokio::time::timeout(DEADLINE, client.send_request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn requests_go_to_backends_in_the_version_they_speak() {
    for (is_http2, version) in [(true, "HTTP/2.0"), (false, "HTTP/1.1")] {
        let ingress = start();
        let port = publish(&ingress, &[mirror(is_http2, "a"), mirror(is_http2, "b")]);
        wait(async {
            let mut client = client(port).await;
            let mut counts = BTreeMap::new();
            for _ in 0..60 {
                let (status, _, body) = ask(&mut client, get("/path")).await;
                assert_eq!(status, StatusCode::OK);
                let first = body.lines().next().unwrap().to_owned();
                assert!(body.contains("forwarded: for=127.0.0.1;host=\"shop:80\";proto=http\n"), "{body}");
                assert!(body.contains("host: shop:80\n"), "{body}");
                *counts.entry(first).or_insert(0) += 1;
            }
            let expected = ["a", "b"].map(|name| format!("{name} {version} GET /path"));
            assert_eq!(counts.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "{counts:?}");
        });
    }
}

#[test]
fn many_requests_at_once_share_few_connections() {
    let ingress = Ingress::start(Config { threads: 1, ..Config::default() }).unwrap();
    let (address, connections) = serve(true, |_| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Response::new(Full::from("x"))
    });
    let port = publish(&ingress, &[address]);

    wait(async {
        let sender = client(port).await;
        let asked = (0..100).map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { ask(&mut sender, get("/")).await.2 })
        });
        for asked in asked.collect::<Vec<_>>() {
            assert_eq!(asked.await.unwrap(), "x");
        }
    });

    // One to find out what it speaks, and one to speak.
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    assert_eq!(counters(&ingress, port).backends[0].total, 100);
}

#[test]
fn bodies_and_trailers_pass_whole() {
    let ingress = start();
    // What gRPC does: an answer whose outcome comes after it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        wait(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service_fn(|request: Request<Incoming>| async {
                    let body = request.into_body().collect().await?.to_bytes();
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    let frames = [Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(trailers))];
                    let body = StreamBody::new(futures_util::stream::iter(frames));
                    Ok::<_, hyper::Error>(Response::new(body))
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        })
    });
    let port = publish(&ingress, &[address]);

    wait(async {
        let mut client = client(port).await;
        for size in [0, 10, 70_000, 3_000_000] {
            let body = Bytes::from(vec![b'x'; size]);
            let request =
                Request::post("http://h/call").header("te", "trailers").body(Full::from(body.clone()));
            let response = client.send_request(request.unwrap()).await.unwrap();
            let collected = response.into_body().collect().await.unwrap();
            assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
            assert!(collected.to_bytes() == body);
        }
    });
}

#[test]
fn refusing_backends_are_replaced_and_problems_told() {
    let ingress = start();
    let port = publish(&ingress, &[refusing(), mirror(false, "good"), refusing()]);
    wait(async {
        let mut client = client(port).await;
        for _ in 0..20 {
            assert!(ask(&mut client, get("/")).await.2.starts_with("good "));
        }
    });

    let breaking = backend(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
    });
    for (backends, status) in [(vec![], 503), (vec![refusing()], 502), (vec![breaking], 502)] {
        let port = publish(&ingress, &backends);
        wait(async {
            let (seen, headers, body) = ask(&mut client(port).await, get("/")).await;
            assert_eq!(seen.as_u16(), status);
            assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
            assert!(body.contains("replica"), "{body}");
        });
        assert_eq!(counters(&ingress, port).refused, 1);
    }
}

#[test]
fn withdrawn_backend_ends_what_it_has_and_gets_nothing_new() {
    let ingress = start();
    let (old, _) = serve(true, |request: Request<Incoming>| async move {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        Response::new(Full::from("old"))
    });
    let port = publish(&ingress, &[old]);

    wait(async {
        let mut sender = client(port).await;
        assert_eq!(ask(&mut sender, get("/")).await.2, "old");
        let mut other = sender.clone();
        let slow = tokio::spawn(async move { ask(&mut other, get("/slow")).await.2 });
        while ingress.in_flight(&task(old)) == 0 {
            tokio::task::yield_now().await;
        }

        ingress.apply(table(port, &[mirror(true, "new")]));

        for _ in 0..10 {
            assert!(ask(&mut sender, get("/")).await.2.starts_with("new "));
        }
        assert_eq!(ingress.in_flight(&task(old)), 1);
        assert_eq!(ingress.drained(&task(old), DEADLINE).await, 0);
        assert_eq!(slow.await.unwrap(), "old");
    });
}

#[test]
fn idle_connection_is_let_go_in_order() {
    let short = Duration::from_millis(200);
    let config = Config { idle_timeout: short, head_timeout: short, ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish(&ingress, &[mirror(false, "a")]);

    wait(async {
        let mut client = client(port).await;
        assert_eq!(ask(&mut client, get("/")).await.0, StatusCode::OK);
        assert_eq!(ask(&mut client, get("/")).await.0, StatusCode::OK);
    });
    eventually("no connection", || counters(&ingress, port).active == 0);

    // One that says only who it is does not stay either.
    let mut stream = peers::connect(port);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn garbage_after_the_preface_ends_the_connection_alone() {
    let ingress = start();
    let port = publish(&ingress, &[mirror(false, "a")]);
    let mut stream = peers::connect(port);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let _ = stream.write_all(&[0xff; 5000]);
    let _ = stream.read_to_end(&mut Vec::new());

    wait(async {
        assert_eq!(ask(&mut client(port).await, get("/")).await.0, StatusCode::OK);
    });
}

#[test]
fn shutdown_lets_requests_end() {
    let ingress = start();
    let (slow, _) = serve(false, |_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Response::new(Full::from("late"))
    });
    let port = publish(&ingress, &[slow]);

    wait(async {
        let mut client = client(port).await;
        let mut other = client.clone();
        let asked = tokio::spawn(async move { ask(&mut other, get("/")).await.2 });
        while ingress.in_flight(&task(slow)) == 0 {
            tokio::task::yield_now().await;
        }
        ingress.shutdown(DEADLINE).await;
        assert_eq!(asked.await.unwrap(), "late");
        assert!(client.ready().await.is_err());
    });
}
