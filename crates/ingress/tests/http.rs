//! Ports that carry HTTP, with real sockets on the loopback.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod peers;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ingress::{AppProtocol, Config, Ingress, Table};
use peers::{DEADLINE, backend, connect, counters, echoes, eventually, line, refusing, start, task, wait};
use socket2::SockRef;

fn table(port: u16, backends: &[SocketAddr]) -> Table {
    peers::table(port, AppProtocol::Http, backends)
}

fn publish(ingress: &Ingress, backends: &[SocketAddr]) -> u16 {
    peers::publish(ingress, |port| table(port, backends))
}

/// Is a message as it came: its head, a line each, and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    first: String,
    fields: BTreeMap<String, String>,
    body: String,
}

impl Message {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Reads one message; `None` at the end of the stream. `has_body` is false for responses to HEAD.
fn read(reader: &mut impl BufRead, has_body: bool) -> Option<Message> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut fields = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let known = fields.insert(name.to_ascii_lowercase(), value.to_owned());
        assert_eq!(known, None, "{name} is there twice");
    }
    let mut body = Vec::new();
    if fields.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).unwrap();
            body.extend(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if has_body {
        let length = fields.get("content-length").map_or(0, |length| length.parse().unwrap());
        body.resize(length, 0);
        reader.read_exact(&mut body).unwrap();
    }
    let body = String::from_utf8(body).unwrap();
    Some(Message { first: first.trim_end().to_owned(), fields, body })
}

/// Runs a backend that answers each request on a connection with what `answer` says, until that is nothing.
fn web(answer: impl Fn(&Message) -> Option<String> + Send + Sync + 'static) -> SocketAddr {
    backend(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = read(&mut reader, true) {
            let Some(answer) = answer(&request) else { return };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Answers with its name.
fn named(name: &'static str) -> SocketAddr {
    web(move |_| Some(ok(name)))
}

/// Answers with the request as it came.
fn mirror() -> SocketAddr {
    web(|request| {
        let mut text = format!("{}\n", request.first);
        for (name, value) in &request.fields {
            text += &format!("{name}: {value}\n");
        }
        Some(ok(&(text + &request.body)))
    })
}

/// Is a client's connection.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn new(port: u16) -> Client {
        let stream = connect(port);
        let reader = BufReader::new(stream.try_clone().unwrap());
        Client { stream, reader }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    fn read(&mut self) -> Message {
        read(&mut self.reader, true).unwrap()
    }

    fn ask(&mut self, text: &str) -> Message {
        self.send(text);
        self.read()
    }

    /// Tells whether the proxy closed the connection, in order.
    fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0; 1]), Ok(0))
    }
}

const GET: &str = "GET /path?query HTTP/1.1\r\nHost: shop:80\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";

#[test]
fn requests_of_one_connection_are_spread() {
    let ingress = start();
    let port = publish(&ingress, &[named("a"), named("b"), named("c")]);
    let mut client = Client::new(port);

    let mut counts = BTreeMap::new();
    for _ in 0..300 {
        *counts.entry(client.ask(GET).body).or_insert(0) += 1;
    }

    assert_eq!(counts.len(), 3, "{counts:?}");
    assert!(counts.values().all(|count| *count > 60), "{counts:?}");
    let seen = counters(&ingress, port);
    assert_eq!((seen.active, seen.total, seen.refused), (1, 1, 0));
    assert_eq!(seen.backends.iter().map(|backend| backend.total).sum::<u64>(), 300);
}

#[test]
fn backends_see_who_asked_and_nothing_of_the_connection() {
    let ingress = start();
    let port = publish(&ingress, &[mirror()]);
    let mut client = Client::new(port);

    let seen = client.ask(
        "GET /a HTTP/1.1\r\nHost: shop:80\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nCookie: c\r\n\
         X-Forwarded-For: 10.0.0.1\r\n\r\n",
    );

    assert_eq!(
        seen.body,
        "GET /a HTTP/1.1\ncookie: c\nforwarded: for=127.0.0.1;host=\"shop:80\";proto=http\nhost: shop:80\n\
         x-forwarded-for: 10.0.0.1, 127.0.0.1\nx-forwarded-host: shop:80\nx-forwarded-proto: http\n"
    );
    assert_eq!(seen.first, "HTTP/1.1 200 OK");
    assert_eq!(seen.fields.keys().collect::<Vec<_>>(), ["content-length"]);
}

#[test]
fn connections_to_backends_are_kept_and_shared() {
    let ingress = Ingress::start(Config { threads: 1, ..Config::default() }).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = connections.clone();
    let kept = backend(move |mut stream| {
        seen.fetch_add(1, Ordering::Relaxed);
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while read(&mut reader, true).is_some() {
            stream.write_all(ok("x").as_bytes()).unwrap();
        }
    });
    let port = publish(&ingress, &[kept]);

    for _ in 0..10 {
        let mut client = Client::new(port);
        for _ in 0..10 {
            assert_eq!(client.ask(GET).body, "x");
        }
    }

    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[test]
fn bodies_of_any_kind_and_size_pass_both_ways() {
    let ingress = start();
    // Answers in chunks to who sends in chunks.
    let backend = web(|request| {
        if request.field("transfer-encoding").is_empty() {
            return Some(ok(&request.body));
        }
        let mut answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for part in request.body.as_bytes().chunks(70_000) {
            answer += &format!("{:x};extension\r\n{}\r\n", part.len(), std::str::from_utf8(part).unwrap());
        }
        Some(answer + "0\r\nTrailer: x\r\n\r\n")
    });
    let port = publish(&ingress, &[backend]);
    let mut client = Client::new(port);

    for size in [0, 1, 1000, 16_384, 70_000, 3_000_000] {
        let body: String = (0..size).map(|at| (b'a' + (at % 23) as u8) as char).collect();
        let answer =
            client.ask(&format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{body}"));
        assert!(answer.body == body, "{size} bytes with a length");

        let mut request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for part in body.as_bytes().chunks(9_999) {
            request += &format!("{:X}\r\n{}\r\n", part.len(), std::str::from_utf8(part).unwrap());
        }
        let answer = client.ask(&(request + "0\r\n\r\n"));
        assert!(answer.body == body, "{size} bytes in chunks");
        assert_eq!(answer.field("transfer-encoding"), "chunked");
    }
}

#[test]
fn upload_and_slow_reader_hold_each_other_back() {
    let ingress = start();
    let (go, wait_for_go) = mpsc::channel::<()>();
    let wait_for_go = std::sync::Mutex::new(wait_for_go);
    let slow = backend(move |mut stream| {
        wait_for_go.lock().unwrap().recv().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = read(&mut reader, true).unwrap();
        stream.write_all(ok(&request.body.len().to_string()).as_bytes()).unwrap();
    });
    let port = publish(&ingress, &[slow]);
    let mut client = Client::new(port);
    const BYTES: usize = 60_000_000;
    client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {BYTES}\r\n\r\n"));

    // The kernel's buffers fill, and then nothing more is taken.
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut sent, part) = (0, vec![b'x'; 100_000]);
    while let Ok(bytes) = client.stream.write(&part) {
        sent += bytes;
        assert!(sent < BYTES, "all of it was taken by somebody");
    }
    go.send(()).unwrap();
    client.stream.set_write_timeout(Some(DEADLINE)).unwrap();
    while sent < BYTES {
        sent += client.stream.write(&part[..part.len().min(BYTES - sent)]).unwrap();
    }

    assert_eq!(client.read().body, BYTES.to_string());
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let ingress = start();
    let port = publish(&ingress, &[mirror(), mirror()]);
    let mut client = Client::new(port);
    let request = |number| format!("POST /{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");

    client.send(&(0..20).map(request).collect::<String>());

    for number in 0..20 {
        let answer = client.read();
        assert!(answer.body.starts_with(&format!("POST /{number} HTTP/1.1\n")), "{answer:?}");
        assert!(answer.body.ends_with("ab"));
    }
}

#[test]
fn head_and_responses_without_a_body_leave_the_connection_in_order() {
    let ingress = start();
    let port = publish(
        &ingress,
        &[web(|request| {
            Some(match request.first.split(' ').next().unwrap() {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned(),
                "DELETE" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                _ => "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n".to_owned(),
            })
        })],
    );
    let mut client = Client::new(port);

    for _ in 0..3 {
        for (method, status) in
            [("HEAD", "200 OK"), ("DELETE", "204 No Content"), ("GET", "304 Not Modified")]
        {
            client.send(&format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert_eq!(read(&mut client.reader, false).unwrap().first, format!("HTTP/1.1 {status}"));
        }
    }
}

#[test]
fn clients_of_the_old_version_are_served() {
    let ingress = start();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let port = publish(
        &ingress,
        &[web(|request| Some(if request.first.contains("chunks") { chunked.to_owned() } else { ok("abc") }))],
    );

    let mut client = Client::new(port);
    client.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let mut all = String::new();
    client.reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");

    let mut client = Client::new(port);
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!((answer.body.as_str(), answer.field("connection")), ("abc", "keep-alive"));
    }
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").field("connection"), "close");
    assert!(client.is_closed());
}

#[test]
fn body_that_ends_with_its_connection_is_whole_or_broken() {
    let ingress = start();
    let port = publish(
        &ingress,
        &[backend(|mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let request = read(&mut reader, true).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhalf").unwrap();
            if request.first.contains("break") {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        })],
    );

    let mut client = Client::new(port);
    client.send(GET);
    let mut all = String::new();
    client.reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");

    let mut client = Client::new(port);
    client.send("GET /break HTTP/1.1\r\nHost: h\r\n\r\n");
    let ended = client.reader.read_to_string(&mut String::new());
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn response_cut_short_is_not_taken_for_whole() {
    let ingress = start();
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
        &format!("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n{}", "x".repeat(3_000_000)),
    ] {
        let cut = cut.to_owned();
        let port = publish(
            &ingress,
            &[backend(move |mut stream| {
                let _ = stream.read(&mut [0; 1000]);
                stream.write_all(cut.as_bytes()).unwrap();
            })],
        );
        let mut client = Client::new(port);
        client.send(GET);
        let mut all = Vec::new();
        let ended = client.reader.read_to_end(&mut all);
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "{} bytes", all.len());
    }
}

#[test]
fn long_body_that_ends_with_its_connection_is_whole_or_broken() {
    const BYTES: usize = 5_000_000;
    let ingress = start();
    let (read_all, done) = mpsc::channel();
    let done = std::sync::Mutex::new(done);
    let pouring = backend(move |mut stream| {
        let request = read(&mut BufReader::new(stream.try_clone().unwrap()), true).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.write_all(&vec![b'x'; BYTES]).unwrap();
        if request.first.contains("break") {
            done.lock().unwrap().recv().unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    let port = publish(&ingress, &[pouring]);
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    let mut client = Client::new(port);
    client.send(GET);
    let mut all = String::new();
    client.reader.read_to_string(&mut all).unwrap();
    assert_eq!(all.len(), head.len() + BYTES);

    let mut client = Client::new(port);
    client.send("GET /break HTTP/1.1\r\nHost: h\r\n\r\n");
    client.reader.read_exact(&mut vec![0; head.len() + BYTES]).unwrap();
    read_all.send(()).unwrap();
    let end = client.reader.read(&mut [0; 1]);
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn interim_responses_come_before_the_body_is_sent() {
    let ingress = start();
    let port = publish(
        &ingress,
        &[backend(|mut stream| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            assert!(String::from_utf8(head).unwrap().contains("Expect: 100-continue\r\n"));
            stream
                .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
                .unwrap();
            let mut body = [0; 4];
            stream.read_exact(&mut body).unwrap();
            stream.write_all(ok(std::str::from_utf8(&body).unwrap()).as_bytes()).unwrap();
        })],
    );
    let mut client = Client::new(port);

    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read().first, "HTTP/1.1 103 Early Hints");
    assert_eq!(client.read().first, "HTTP/1.1 100 Continue");

    assert_eq!(client.ask("body").body, "body");
}

#[test]
fn response_before_the_end_of_the_request_reaches_the_client() {
    let ingress = start();
    let port = publish(
        &ingress,
        &[backend(|mut stream| {
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        })],
    );
    let mut client = Client::new(port);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
    // As much as anybody takes.
    let part = vec![b'x'; 100_000];
    for _ in 0..20 {
        let _ = client.stream.write(&part);
    }

    let answer = client.read();

    assert_eq!((answer.first.as_str(), answer.body.as_str()), ("HTTP/1.1 413 Too Large", "big"));
    assert_eq!(answer.field("connection"), "close");
}

#[test]
fn upgraded_connection_is_a_tunnel() {
    let ingress = start();
    let talker = backend(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = read(&mut reader, true).unwrap();
        assert_eq!((request.field("upgrade"), request.field("connection")), ("websocket", "upgrade"));
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n")
            .unwrap();
        let _ = std::io::copy(&mut reader, &mut stream);
    });
    let port = publish(&ingress, &[talker]);
    let mut stream = connect(port);
    // What follows the head at once belongs to the other protocol.
    let ask = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\nearly\n";
    stream.write_all(ask).unwrap();

    assert_eq!(line(&mut stream), "HTTP/1.1 101 Switching Protocols\r");
    while line(&mut stream) != "\r" {}
    assert_eq!(line(&mut stream), "hello");
    assert_eq!(line(&mut stream), "early");
    assert!(echoes(&mut stream, "GET / HTTP/1.1\r\n\r\n"));
    assert_eq!(ingress.in_flight(&task(talker)), 1);
    // Also when the backend is withdrawn.
    ingress.apply(table(port, &[named("other")]));
    assert!(echoes(&mut stream, "still there"));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(wait(ingress.drained(&task(talker), DEADLINE)), 0);
}

#[test]
fn refused_upgrade_is_a_response_like_any_other() {
    let ingress = start();
    let port = publish(&ingress, &[mirror()]);
    let mut client = Client::new(port);

    let offer = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert!(client.ask(offer).body.contains("upgrade: websocket\n"));
    assert!(!client.ask(GET).body.contains("upgrade"));
}

#[test]
fn refusing_backend_is_replaced_for_any_request() {
    let ingress = start();
    let port = publish(&ingress, &[refusing(), named("good"), refusing()]);

    for _ in 0..50 {
        let mut client = Client::new(port);
        assert_eq!(client.ask(POST).body, "good");
        assert_eq!(client.ask(GET).body, "good");
    }
}

#[test]
fn idempotent_request_is_repeated_and_others_are_not() {
    let config = Config { avoid_failed: Duration::ZERO, ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let breaking = || {
        backend(|stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let _ = read(&mut reader, true);
            let _ = stream.shutdown(Shutdown::Both);
        })
    };
    let port = publish(&ingress, &[breaking(), mirror()]);

    for _ in 0..30 {
        let put = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
        assert!(Client::new(port).ask(put).body.ends_with("\nbody"));
    }
    let mut counts = BTreeMap::new();
    for _ in 0..60 {
        *counts.entry(Client::new(port).ask(POST).first).or_insert(0) += 1;
    }

    assert_eq!(
        counts.keys().collect::<Vec<_>>(),
        ["HTTP/1.1 200 OK", "HTTP/1.1 502 Bad Gateway"],
        "{counts:?}"
    );
}

#[test]
fn connection_that_a_backend_closed_meanwhile_harms_nobody() {
    let ingress = Ingress::start(Config { threads: 1, ..Config::default() }).unwrap();
    // Answers one request per connection without saying that it closes.
    let port = publish(
        &ingress,
        &[backend(|mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            if read(&mut reader, true).is_some() {
                stream.write_all(ok("once").as_bytes()).unwrap();
            }
        })],
    );
    let mut client = Client::new(port);

    for _ in 0..300 {
        assert_eq!(client.ask(GET).body, "once");
    }
}

#[test]
fn each_problem_has_its_status_and_a_text() {
    let silent = backend(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let garbage = backend(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n");
    });
    let smuggler =
        web(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".into()));
    let ending = backend(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
    });
    let ingress =
        Ingress::start(Config { stall_timeout: Duration::from_millis(200), ..Config::default() }).unwrap();

    for (backends, status, word) in [
        (vec![], "503 Service Unavailable", "no replica"),
        (vec![refusing(), refusing()], "502 Bad Gateway", "no replica of the service takes connections"),
        (vec![ending], "502 Bad Gateway", "broke"),
        (vec![garbage], "502 Bad Gateway", "cannot be passed on"),
        (vec![smuggler], "502 Bad Gateway", "Content-Length"),
        (vec![silent], "504 Gateway Timeout", "in time"),
    ] {
        let port = publish(&ingress, &backends);
        let mut client = Client::new(port);
        let answer = client.ask(GET);
        assert_eq!(answer.first, format!("HTTP/1.1 {status}"));
        assert!(answer.body.contains(word), "{answer:?}");
        assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8");
        if backends.is_empty() {
            assert_eq!(counters(&ingress, port).refused, 1);
            assert!(client.is_closed());
        } else {
            // The client's connection is none the worse.
            ingress.apply(table(port, &[named("good")]));
            assert_eq!(client.ask(GET).body, "good", "after {status}");
        }
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let ingress = start();
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    let port = publish(
        &ingress,
        &[web(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
            Some(ok("x"))
        })],
    );

    for (bad, status) in [
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", "400"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "400"),
        ("GET / HTTP/1.1\nHost: h\n\n", "400"),
        ("\x16\x03\x01\x02\0\x01\0\x01", "400"),
        ("GET / HTTP/3.7\r\n\r\n", "505"),
        ("hello\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", "400"),
    ] {
        let mut client = Client::new(port);
        client.send(&format!("{bad}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
        let answer = client.read();
        assert_eq!(answer.first.split(' ').nth(1), Some(status), "{bad:?}: {answer:?}");
        assert_eq!(answer.field("connection"), "close");
        assert!(client.is_closed(), "{bad:?}");
    }

    assert_eq!(requests.load(Ordering::Relaxed), 0, "a backend was asked");
}

#[test]
fn heads_that_are_long_or_slow_are_refused() {
    let config = Config { head_timeout: Duration::from_millis(300), ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish(&ingress, &[mirror()]);

    let mut client = Client::new(port);
    let _ =
        client.stream.write_all(format!("GET /{} HTTP/1.1\r\nHost: h\r\n", "a".repeat(40_000)).as_bytes());
    assert_eq!(client.read().first, "HTTP/1.1 431 Request Header Fields Too Large");

    // A byte now and then does not prolong it.
    let mut client = Client::new(port);
    let begin = Instant::now();
    let mut drops = GET.bytes().cycle();
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let answer = loop {
        let _ = client.stream.write_all(&[drops.next().unwrap()]);
        let mut byte = [0];
        if let Ok(1) = client.stream.peek(&mut byte) {
            break client.read();
        }
        assert!(begin.elapsed() < DEADLINE);
    };
    assert_eq!(answer.first, "HTTP/1.1 408 Request Timeout");

    // Who says nothing at all is not told anything.
    let mut client = Client::new(port);
    assert!(client.is_closed());
    eventually("no connection", || counters(&ingress, port).active == 0);
}

#[test]
fn idle_client_is_let_go_and_a_busy_one_is_not() {
    let config = Config { idle_timeout: Duration::from_millis(300), ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish(
        &ingress,
        &[web(|_| {
            std::thread::sleep(Duration::from_millis(500));
            Some(ok("late"))
        })],
    );
    let mut client = Client::new(port);

    assert_eq!(client.ask(GET).body, "late");
    assert_eq!(client.ask(GET).body, "late");
    let begin = Instant::now();
    assert!(client.is_closed());
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[test]
fn client_that_goes_takes_its_request_back() {
    let ingress = start();
    let (gone, heard) = mpsc::channel();
    let waiting = backend(move |mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        gone.send(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_))).unwrap();
    });
    let port = publish(&ingress, &[waiting]);
    let mut client = Client::new(port);
    client.send(GET);
    eventually("the request", || ingress.in_flight(&task(waiting)) == 1);

    drop(client);

    assert!(heard.recv_timeout(DEADLINE).unwrap());
    eventually("nothing in flight", || ingress.in_flight(&task(waiting)) == 0);
}

#[test]
fn withdrawn_backend_ends_what_it_has_and_gets_nothing_new() {
    let ingress = start();
    let (answer, wait_for_answer) = mpsc::channel::<()>();
    let wait_for_answer = std::sync::Mutex::new(wait_for_answer);
    let old = web(move |request| {
        if request.first.contains("slow") {
            wait_for_answer.lock().unwrap().recv().unwrap();
        }
        Some(ok("old"))
    });
    let port = publish(&ingress, &[old]);
    let mut kept = Client::new(port);
    assert_eq!(kept.ask(GET).body, "old");
    let mut slow = Client::new(port);
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request", || counters(&ingress, port).backends[0].total == 2);

    ingress.apply(table(port, &[named("new")]));

    for _ in 0..20 {
        assert_eq!(kept.ask(GET).body, "new");
        assert_eq!(Client::new(port).ask(GET).body, "new");
    }
    assert_eq!(ingress.in_flight(&task(old)), 1);
    let waiting = ingress.drained(&task(old), DEADLINE);
    answer.send(()).unwrap();
    assert_eq!(slow.read().body, "old");
    assert_eq!(wait(waiting), 0);
    assert_eq!(slow.ask(GET).body, "new", "the client's connection stays");
}

#[test]
fn tables_change_under_load_without_a_failure() {
    let ingress = Arc::new(start());
    let all: Vec<SocketAddr> = ["a", "b", "c", "d", "e", "f"].map(named).to_vec();
    let port = publish(&ingress, &all);
    let end = Instant::now() + Duration::from_secs(3);
    let kept = (0..4).map(|_| {
        std::thread::spawn(move || {
            let mut client = Client::new(port);
            let mut count = 0;
            while Instant::now() < end {
                assert_eq!(client.ask(if count % 3 == 0 { POST } else { GET }).first, "HTTP/1.1 200 OK");
                count += 1;
            }
            count
        })
    });
    let short = (0..2).map(|_| {
        std::thread::spawn(move || {
            let mut count = 0;
            while Instant::now() < end {
                assert_eq!(Client::new(port).ask(POST).first, "HTTP/1.1 200 OK");
                count += 1;
            }
            count
        })
    });
    let clients: Vec<_> = kept.chain(short).collect();

    let mut round = 0;
    while Instant::now() < end {
        round += 1;
        let some: Vec<_> = all.iter().copied().cycle().skip(round % 6).take(1 + round % 5).collect();
        ingress.apply(table(port, &some));
        std::thread::sleep(Duration::from_millis(2));
    }

    let counts: Vec<usize> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn shutdown_tells_clients_to_go_elsewhere() {
    let ingress = start();
    let port = publish(&ingress, &[named("a")]);
    let (mut busy, mut idle) = (Client::new(port), Client::new(port));
    assert_eq!(busy.ask(GET).field("connection"), "");
    assert_eq!(idle.ask(GET).body, "a");

    let begin = Instant::now();
    let shutdown = std::thread::spawn(move || wait(ingress.shutdown(DEADLINE)));

    let answer = loop {
        let answer = busy.ask(GET);
        if answer.field("connection") == "close" {
            break answer;
        }
    };
    assert_eq!(answer.body, "a");
    assert!(busy.is_closed() && idle.is_closed());
    shutdown.join().unwrap();
    assert!(begin.elapsed() < DEADLINE / 2, "one that says nothing does not hold it up");
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}

#[test]
fn connections_are_bounded_and_idle_ones_make_room() {
    let config = Config { connections_max: 10, threads: 2, ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish(&ingress, &[named("a")]);

    // Each is served, though all before it stay open.
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = Client::new(port);
        assert_eq!(client.ask(GET).body, "a");
        clients.push(client);
        // One per worker may be waiting for room.
        assert!(counters(&ingress, port).active <= 12);
    }

    assert_eq!(counters(&ingress, port).refused, 0);
}

#[test]
fn restart_of_the_process_is_not_noticed() {
    let first = start();
    let port = publish(&first, &[named("a")]);
    let end = Instant::now() + Duration::from_secs(4);
    let kept = std::thread::spawn(move || {
        let (mut client, mut count) = (Client::new(port), 0);
        while Instant::now() < end {
            let answer = client.ask(GET);
            assert_eq!(answer.first, "HTTP/1.1 200 OK");
            if answer.field("connection") == "close" {
                client = Client::new(port);
            }
            count += 1;
        }
        count
    });
    let short = std::thread::spawn(move || {
        let mut count = 0;
        while Instant::now() < end {
            assert_eq!(Client::new(port).ask(POST).first, "HTTP/1.1 200 OK");
            count += 1;
        }
        count
    });

    let mut ingress = first;
    for threads in [3, 1, 2] {
        let held = ingress.kept().unwrap();
        wait(ingress.shutdown(DEADLINE));
        // Nobody accepts for a moment.
        std::thread::sleep(Duration::from_millis(50));
        ingress = Ingress::resume(Config { threads, ..Config::default() }, held).unwrap();
        let backends = [named("b")];
        assert!(ingress.apply(table(port, &backends)).is_empty());
    }

    assert!(kept.join().unwrap() > 100 && short.join().unwrap() > 100);
    ingress.apply(Table::default());
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}
